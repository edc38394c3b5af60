"""Columns of the bulk tables that use cases hand to the stores as Arrow streams.

A table is any object with `__arrow_c_stream__`; these dictionaries fix its columns and their
Arrow types. Instants are epoch milliseconds; quantities 1e-6 units; amounts minor units.
"""

from typing import Protocol


class ArrowStream(Protocol):
    """A table in Arrow's C stream interface (pyarrow tables and DuckDB relations are)."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The stream's capsule."""


USAGE_COLUMNS = {
    "tenant": "string",
    "meter": "string",
    "segment": "int32",
    "value": "string",
    "quantity_micro": "int64",
    "events": "int64",
}
"""A month's usage. `segment` counts the tenant's bounds at or before the event's time (see
`UsageReader.usage`): with bounds [s0, e0, e1, …] of a subscription, 0 is before it began. `value`
is that of the meter's pricing key, '' where it has none."""

ADJUSTING_COLUMNS = {
    "product": "string",
    "name": "string",
    "rate_ppm": "int64",
    "base_minor": "int64",
    "tax_minor": "int64",
}
"""What only adjusting lines say; see `schemas.invoice.InvoiceLine`."""

LINE_COLUMNS = {
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "ordinal": "int32",
    "kind": "string",
    "meter": "string",
    "value": "string",
    "plan": "string",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
    "quantity_micro": "int64",
    "unit_price_pico": "int64",
    "fee_minor": "int64",
    "amount_minor": "int64",
    **ADJUSTING_COLUMNS,
}
"""Priced lines before they become an invoice; `meter`, `value`, `quantity_micro`,
`unit_price_pico` and `fee_minor` may be null. `ordinal` orders the lines of a subscription within
their kind of work."""

SEGMENT_COLUMNS = {
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "anchor_day": "int32",
    "ordinal": "int32",
    "plan": "string",
    "catalog_version": "int64",
    "starts_ms": "int64",
    "ends_ms": "int64",
    "interval": "string",
    "phase": "string",
}
"""Subscriptions as rows, one a segment: by tenant, subscription and `ordinal`, which is their order
in time. A null `ends_ms` is open-ended. A subscription without any segment has no row."""

DRAFT_COLUMNS = {
    "id": "string",
    "tenant": "string",
    "subscription": "string",
    "month": "string",
    "currency": "string",
    "total_minor": "int64",
    "document": "binary",
    "document_hash": "string",
    "held": "string",
    "kind": "string",
    "corrects": "string",
}
"""Draft invoices: what the ledger holds of an invoice without what finalizing adds."""

INVOICE_LINE_COLUMNS = {
    "invoice": "string",
    "ordinal": "int32",
    "kind": "string",
    "plan": "string",
    "meter": "string",
    "value": "string",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
    "quantity_micro": "int64",
    "unit_price_pico": "int64",
    "fee_minor": "int64",
    "amount_minor": "int64",
    **ADJUSTING_COLUMNS,
}
"""Lines of invoices, by the invoice's id; `ordinal` counts from 1."""

HEAD_COLUMNS = {
    "id": "string",
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "total_minor": "int64",
    "state": "string",
    "kind": "string",
    "held": "string",
}
"""What checks need of invoices in any state, beside their lines and documents."""

RECORD_COLUMNS = {
    **HEAD_COLUMNS,
    "month": "string",
    "number": "string",
    "document_hash": "string",
    "corrects": "string",
}
"""What the ledger holds of invoices beside lines and documents, but for their payment."""

DOCUMENT_COLUMNS = {"invoice": "string", "document": "binary"}
"""Documents of invoices, by the invoice's id."""

RECONCILIATION_COLUMNS = {
    "tenant": "string",
    "meter": "string",
    "counter_micro": "int64",
    "warehouse_micro": "int64",
    "beyond_window_micro": "int64",
    "billed_micro": "int64",
    "unpriced_micro": "int64",
    "held": "string",
}
"""A tenant's figures for a meter; see `schemas.closing.Reconciliation`."""

TOTAL_COLUMNS = {"tenant": "string", "meter": "string", "quantity_micro": "int64"}
"""Usage by tenant and meter."""

COUNTER_COLUMNS = {
    "tenant": "string",
    "meter": "string",
    "window_kind": "string",
    "window_start_ms": "int64",
    "counter_micro": "int64",
    "warehouse_micro": "int64",
    "beyond_window_micro": "int64",
}
"""Counters beside the warehouse; see `schemas.closing.CounterComparison`."""
