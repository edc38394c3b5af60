"""Invoices as records on their way to the ledger, which takes them in tables, and back."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

import pyarrow as pa

from pipelines.draft_tables import Part, part_of
from pipelines.line_parts import AT_ONCE
from pipelines.tables import as_table, line_of, rows_of, table_of
from schemas.errors import InvalidInput
from schemas.invoice import Invoice, InvoiceState
from schemas.ports import TenantRange
from schemas.tables import (
    DOCUMENT_COLUMNS,
    DRAFT_COLUMNS,
    HEAD_COLUMNS,
    INVOICE_LINE_COLUMNS,
    ArrowStream,
)


def drafts_of(invoices: Iterable[Invoice], at_once: int = AT_ONCE) -> Iterator[Part]:
    """Drafts in parts, made as they are asked for.

    Raises:
        InvalidInput: one is no draft.
    """
    source = iter(invoices)
    while part := list(islice(source, at_once)):
        for invoice in part:
            if invoice.state is not InvoiceState.DRAFT:
                raise InvalidInput(f"{invoice.id} is not a draft")
        yield part_of(part)


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


def among(invoices: Iterable[Invoice], tenants: TenantRange) -> list[Invoice]:
    """The invoices of a range of tenants, in their order."""
    first, end = tenants
    return [
        it
        for it in invoices
        if (first is None or it.tenant >= first) and (end is None or it.tenant < end)
    ]


def heads_of(invoices: Iterable[Invoice]) -> pa.Table:
    """Invoices without their lines (`HEAD_COLUMNS`), in their order."""
    rows = (tuple(getattr(invoice, name) for name in HEAD_COLUMNS) for invoice in invoices)
    return table_of(rows, HEAD_COLUMNS)


def documents_of(invoices: Iterable[Invoice]) -> pa.Table:
    """The documents of invoices (`DOCUMENT_COLUMNS`), in their order."""
    return table_of(((it.id, it.document) for it in invoices), DOCUMENT_COLUMNS)


def lines_of(invoices: Iterable[Invoice]) -> pa.Table:
    """The lines of invoices (`INVOICE_LINE_COLUMNS`), in their order."""
    return part_of(list(invoices))[1]
