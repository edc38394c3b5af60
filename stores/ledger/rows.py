"""Invoices and their lines between rows and values."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from schemas.errors import BillingError
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.period import BillingPeriod
from schemas.tables import ADJUSTING_COLUMNS, DRAFT_COLUMNS
from stores.ledger.invoice_tables import invoice_documents, invoice_lines, invoices

_OF_HEAD = tuple(name for name in DRAFT_COLUMNS if name != "document")
_OF_LINE = (
    *("kind", "plan", "meter", "value", "quantity_micro", "unit_price_pico", "fee_minor"),
    *("amount_minor", *ADJUSTING_COLUMNS),
)


def head_row(invoice: Invoice) -> dict[str, Any]:
    """The row of `invoices` without what finalizing adds."""
    return {name: getattr(invoice, name) for name in _OF_HEAD}


def line_rows(serial: int, lines: Iterable[InvoiceLine]) -> list[dict[str, Any]]:
    """Rows of `invoice_lines`; `ordinal` counts from 1."""
    return [
        {
            "invoice": serial,
            "ordinal": ordinal,
            "period_start_ms": line.period.start_ms,
            "period_end_ms": line.period.end_ms,
            **{name: getattr(line, name) for name in _OF_LINE},
        }
        for ordinal, line in enumerate(lines, 1)
    ]


def load_invoices(
    connection: sa.Connection, condition: sa.ColumnElement[bool]
) -> list[tuple[Invoice, int]]:
    """Invoices with their lines and the version of their row, by month, tenant, subscription."""
    its = invoices.c
    order = (its.month, its.tenant, its.subscription, its.kind, its.id)
    lines: dict[int, list[InvoiceLine]] = {}
    of_invoice = invoice_lines.c.invoice == its.serial
    query = sa.select(invoice_lines).join_from(invoice_lines, invoices, of_invoice).where(condition)
    for row in connection.execute(query.order_by(invoice_lines.c.invoice, invoice_lines.c.ordinal)):
        lines.setdefault(row.invoice, []).append(_line(row))
    documented = sa.select(invoices, invoice_documents.c.document).join_from(
        invoices, invoice_documents, invoice_documents.c.invoice == its.serial
    )
    rows = connection.execute(documented.where(condition).order_by(*order))
    return [(_invoice(row, lines.pop(row.serial, ())), row.version) for row in rows]


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
