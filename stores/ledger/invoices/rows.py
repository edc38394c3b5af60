"""Invoices and their lines between rows and values."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import groupby
from operator import attrgetter
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.errors import BillingError
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.period import BillingPeriod
from schemas.tables import DRAFT_COLUMNS, INVOICE_LINE_COLUMNS
from stores.ledger.columns import arrow_schema
from stores.ledger.invoices.documents import documents_of
from stores.ledger.invoices.invoice_chunks import rows_of
from stores.ledger.tables.invoice_tables import invoices, line_chunks

_OF_HEAD = tuple(name for name in DRAFT_COLUMNS if name != "document")


def head_row(invoice: Invoice) -> dict[str, Any]:
    """The row of `invoices` without what finalizing adds."""
    return {name: getattr(invoice, name) for name in _OF_HEAD}


def line_table(invoice: Invoice) -> pa.Table:
    """An invoice's lines (`INVOICE_LINE_COLUMNS`)."""
    rows = [
        {
            "invoice": invoice.id,
            "ordinal": ordinal,
            "period_start_ms": line.period.start_ms,
            "period_end_ms": line.period.end_ms,
            **{it.name: getattr(line, it.name) for it in fields(line) if it.name != "period"},
        }
        for ordinal, line in enumerate(invoice.lines, 1)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(INVOICE_LINE_COLUMNS))


def load_invoices(
    connection: sa.Connection, condition: sa.ColumnElement[bool]
) -> list[tuple[Invoice, int]]:
    """Invoices with their lines and the version of their row, by month, tenant, subscription."""
    its = invoices.c
    order = (its.month, its.tenant, its.subscription, its.kind, its.id)
    rows = connection.execute(sa.select(invoices).where(condition).order_by(*order)).all()
    return [
        each
        for month, own in groupby(rows, key=attrgetter("month"))
        for each in _of_month(connection, month, list(own))
    ]


def _of_month(
    connection: sa.Connection, month: str, rows: Sequence[sa.Row[Any]]
) -> Iterator[tuple[Invoice, int]]:
    serials = [row.serial for row in rows]
    documents = documents_of(connection, month, serials)
    lines: dict[str, list[InvoiceLine]] = {}
    for table in rows_of(connection, line_chunks, month, serials):
        for line in table.to_pylist():
            lines.setdefault(line.pop("invoice"), []).append(_line(line))
    for row in rows:
        yield _invoice(row, lines.pop(row.id, ()), documents.pop(row.id)), row.version


def _line(row: dict[str, Any]) -> InvoiceLine:
    del row["ordinal"]
    period = BillingPeriod(row.pop("period_start_ms"), row.pop("period_end_ms"))
    return InvoiceLine(**row, period=period)


def _invoice(row: sa.Row[Any], lines: Iterable[InvoiceLine], document: bytes) -> Invoice:
    invoice = Invoice(
        id=row.id,
        tenant=row.tenant,
        subscription=row.subscription,
        month=row.month,
        currency=row.currency,
        lines=tuple(lines),
        document=document,
        document_hash=row.document_hash,
        state=InvoiceState(row.state),
        number=row.number,
        issued_ms=row.issued_ms,
        due_ms=row.due_ms,
        held=row.held if row.state == InvoiceState.DRAFT else None,
        kind=row.kind,
        corrects=row.corrects,
        credited_minor=row.credited_minor,
        reversed_minor=row.reversed_minor,
    )
    if invoice.total_minor != row.total_minor:
        raise BillingError(
            f"invoice {row.id}: its lines add up to {invoice.total_minor}, not {row.total_minor}; "
            "the ledger was edited by hand: restore it from a backup"
        )
    return invoice
