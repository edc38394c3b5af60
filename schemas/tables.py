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
