"""Invoices as the ledger takes and gives them, made of records one by one and back."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

import pyarrow as pa

from pipelines.columns.tables import as_table, line_of, rows_of, table_of
from pipelines.invoices.draft_tables import part_of
from schemas.invoice import Invoice
from schemas.ledger_ports import TenantRange
from schemas.tables import (
    DOCUMENT_COLUMNS,
    DRAFT_COLUMNS,
    HEAD_COLUMNS,
    INVOICE_LINE_COLUMNS,
    ArrowStream,
)


def among(invoices: Iterable[Invoice], tenants: TenantRange) -> list[Invoice]:
    """The invoices of a range of tenants, in their order."""
    first, end = tenants
    return [
        it
        for it in invoices
        if (first is None or it.tenant >= first) and (end is None or it.tenant < end)
    ]


def heads_of(invoices: Iterable[Invoice], columns: Mapping[str, str] = HEAD_COLUMNS) -> pa.Table:
    """Invoices without their lines, in their order."""
    rows = (tuple(getattr(invoice, name) for name in columns) for invoice in invoices)
    return table_of(rows, columns)


def documents_of(invoices: Iterable[Invoice]) -> pa.Table:
    """The documents of invoices (`DOCUMENT_COLUMNS`), in their order."""
    return table_of(((it.id, it.document) for it in invoices), DOCUMENT_COLUMNS)


def lines_of(invoices: Iterable[Invoice]) -> pa.Table:
    """The lines of invoices (`INVOICE_LINE_COLUMNS`), in their order."""
    return part_of(list(invoices))[1]


def invoices_of(drafts: ArrowStream, lines: ArrowStream) -> Iterator[Invoice]:
    """The drafts of a part as records, in their order."""
    rows = rows_of(as_table(lines, INVOICE_LINE_COLUMNS))
    own = {
        invoice: tuple(map(line_of, group))
        for invoice, group in groupby(rows, key=lambda row: row["invoice"])
    }
    for row in rows_of(as_table(drafts, DRAFT_COLUMNS)):
        del row["total_minor"]
        yield Invoice(**row, lines=own.get(row["id"], ()))
