"""Invoices and their lines between rows and values."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.errors import BillingError
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.period import BillingPeriod
from schemas.tables import ADJUSTING_COLUMNS
from stores.ledger.columns import arrow_schema
from stores.ledger.invoice_tables import invoice_lines, invoices

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
"""A draft as it is staged: `invoices` without what finalizing adds."""

DRAFT_LINE_COLUMNS = {
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
"""An invoice line as it is staged; `ordinal` counts from 1."""


def draft_table(drafts: Iterable[Invoice]) -> pa.Table:
    """Drafts as a table of `DRAFT_COLUMNS`."""
    return _table(map(_draft_row, drafts), DRAFT_COLUMNS)


def line_table(drafts: Iterable[Invoice]) -> pa.Table:
    """The drafts' lines as a table of `DRAFT_LINE_COLUMNS`."""
    rows = (
        _line_row(draft.id, ordinal, line)
        for draft in drafts
        for ordinal, line in enumerate(draft.lines, 1)
    )
    return _table(rows, DRAFT_LINE_COLUMNS)


def _table(rows: Iterable[tuple[Any, ...]], columns: dict[str, str]) -> pa.Table:
    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    schema = arrow_schema(columns)
    arrays = [pa.array(each, it.type) for each, it in zip(values, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _draft_row(draft: Invoice) -> tuple[Any, ...]:
    return (
        draft.id,
        draft.tenant,
        draft.subscription,
        draft.month,
        draft.currency,
        draft.total_minor,
        draft.document,
        draft.document_hash,
        draft.held,
        draft.kind,
        draft.corrects,
    )


def _line_row(invoice: str, ordinal: int, line: InvoiceLine) -> tuple[Any, ...]:
    return (
        invoice,
        ordinal,
        line.kind,
        line.plan,
        line.meter,
        line.value,
        line.period.start_ms,
        line.period.end_ms,
        line.quantity_micro,
        line.unit_price_pico,
        line.fee_minor,
        line.amount_minor,
        line.product,
        line.name,
        line.rate_ppm,
        line.base_minor,
        line.tax_minor,
    )


def load_invoices(
    connection: sa.Connection, condition: sa.ColumnElement[bool]
) -> list[tuple[Invoice, int]]:
    """Invoices with their lines and the version of their row, by month, tenant, subscription."""
    its = invoices.c
    order = (its.month, its.tenant, its.subscription, its.kind, its.id)
    lines: dict[str, list[InvoiceLine]] = {}
    query = sa.select(invoice_lines).join_from(invoice_lines, invoices).where(condition)
    for row in connection.execute(query.order_by(invoice_lines.c.invoice, invoice_lines.c.ordinal)):
        lines.setdefault(row.invoice, []).append(_line(row))
    rows = connection.execute(sa.select(invoices).where(condition).order_by(*order))
    return [(_invoice(row, lines.pop(row.id, ())), row.version) for row in rows]


def _line(row: sa.Row[Any]) -> InvoiceLine:
    return InvoiceLine(
        kind=row.kind,
        plan=row.plan,
        period=BillingPeriod(row.period_start_ms, row.period_end_ms),
        amount_minor=row.amount_minor,
        meter=row.meter,
        quantity_micro=row.quantity_micro,
        unit_price_pico=row.unit_price_pico,
        fee_minor=row.fee_minor,
        value=row.value,
        product=row.product,
        name=row.name,
        rate_ppm=row.rate_ppm,
        base_minor=row.base_minor,
        tax_minor=row.tax_minor,
    )


def _invoice(row: sa.Row[Any], lines: Iterable[InvoiceLine]) -> Invoice:
    invoice = Invoice(
        id=row.id,
        tenant=row.tenant,
        subscription=row.subscription,
        month=row.month,
        currency=row.currency,
        lines=tuple(lines),
        document=row.document,
        document_hash=row.document_hash,
        state=InvoiceState(row.state),
        number=row.number,
        issued_ms=row.issued_ms,
        due_ms=row.due_ms,
        held=row.held,
        kind=row.kind,
        corrects=row.corrects,
        credited_minor=row.credited_minor,
    )
    if invoice.total_minor != row.total_minor:
        raise BillingError(
            f"invoice {row.id}: its lines add up to {invoice.total_minor}, not {row.total_minor}; "
            "the ledger was edited by hand: restore it from a backup"
        )
    return invoice
