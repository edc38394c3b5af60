"""A month's invoices with all that they say, as tables, in parts of whole tenants.

What is done with all invoices of a month reads these; few are looked at as records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.line_parts import between, ranges_of
from pipelines.columns.ordering import ordered
from pipelines.columns.tables import as_table, line_of, rows_of
from pipelines.invoices.books import Books
from schemas.invoice import Invoice, InvoiceState
from schemas.ledger_ports import TenantRange
from schemas.progress import Progress, unseen
from schemas.tables import DOCUMENT_COLUMNS, INVOICE_LINE_COLUMNS

AT_ONCE = 20_000
"""Tenants whose invoices are read together: of more, memory grows and time does not shrink."""
HEAD_ORDER = ("tenant", "subscription", "kind", "id")
"""Of invoices and notes."""


@dataclass(frozen=True, slots=True)
class InvoicePart:
    """Some invoices: `heads` (`RECORD_COLUMNS`), and in their order all that they say.

    `lines` are `INVOICE_LINE_COLUMNS`, `documents` `DOCUMENT_COLUMNS`.
    """

    heads: pa.Table
    lines: pa.Table
    documents: pa.Table


def invoice_parts(
    heads: pa.Table, books: Books, at_once: int = AT_ONCE, progress: Progress = unseen
) -> Iterator[InvoicePart]:
    """These invoices of a month (`RECORD_COLUMNS`, by tenant), part after part."""
    done = 0
    for tenants, _ in ranges_of(books.line_stream(), at_once):
        part = read_part(heads, books, tenants)
        yield part
        done += part.heads.num_rows
        progress("invoices", done, heads.num_rows)


def read_part(heads: pa.Table, books: Books, tenants: TenantRange) -> InvoicePart:
    """Those of a range of tenants."""
    own = between(heads, *tenants)
    lines = as_table(books.lines_on_invoices(tenants), INVOICE_LINE_COLUMNS)
    documents = as_table(books.documents(tenants), DOCUMENT_COLUMNS)
    return InvoicePart(own, _of(own, lines), _of(own, documents))


def records_of(part: InvoicePart) -> Iterator[Invoice]:
    """The invoices as records, in their order, without what concerns their payment."""
    rows = groupby(rows_of(part.lines), key=lambda row: row["invoice"])
    lines = {invoice: tuple(map(line_of, own)) for invoice, own in rows}
    documents = part.documents["document"].to_pylist()
    for row, document in zip(rows_of(part.heads), documents, strict=True):
        del row["total_minor"]
        state = InvoiceState(row.pop("state"))
        yield Invoice(**row, state=state, document=document, lines=lines.get(row["id"], ()))


def _of(heads: pa.Table, rows: pa.Table) -> pa.Table:
    """What these invoices say, in their order and each as it comes."""
    places = pc.index_in(rows["invoice"], value_set=heads["id"].combine_chunks())
    if places.null_count:
        own = pc.is_valid(places)
        rows, places = rows.filter(own), places.filter(own)
    return ordered(places.to_numpy(), rows)
