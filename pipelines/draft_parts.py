"""Invoices as records on their way to the ledger, which takes them in tables, and back."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from pipelines.draft_tables import Part, part_of
from pipelines.line_parts import AT_ONCE
from pipelines.tables import as_table, line_of, rows_of
from schemas.errors import InvalidInput
from schemas.invoice import Invoice, InvoiceState
from schemas.tables import (
    DRAFT_COLUMNS,
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
