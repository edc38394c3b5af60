"""What came of a month: its invoices and their lines as they are in the month's bundle.

They are made in parts of whole tenants, so that memory does not grow with their number.
"""

from collections.abc import Iterator
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.engine import database
from pipelines.columns.ordering import in_order
from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from pipelines.invoices.invoice_parts import HEAD_ORDER, InvoicePart, invoice_parts
from pipelines.invoices.standing import by_hand
from schemas.invoice import OUTSIDE_SUBTOTAL, InvoiceState
from schemas.progress import Progress, unseen
from schemas.tables import LINE_COLUMNS

_SQL = (files("pipelines") / "sql" / "bundle_invoices.sql").read_text()
_INVOICES = {
    "invoice": "string",
    "number": "string",
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "is_final": "bool",
    "is_void": "bool",
    "held": "string",
    "subtotal_minor": "int64",
    "tax_minor": "int64",
    "credits_minor": "int64",
    "total_minor": "int64",
    "document_hash": "string",
    "document": "string",
}
_OWN = {name: kind for name, kind in LINE_COLUMNS.items() if name != "ordinal"}
_LINES = {"invoice": "string", "line": "int64", **_OWN}
_OF_HEAD = ("tenant", "subscription", "currency")


def invoice_tables(books: Books, progress: Progress = unseen) -> Iterator[dict[str, pa.Table]]:
    """The rows of `invoices` and `lines` of some tenants after the others, by `HEAD_ORDER`.

    They are what the close made, void ones that nothing took the place of too, and credit notes by
    hand; without what a payment or a clock changes.
    """
    for part in invoice_parts(_told(books), books, progress=progress):
        yield {"invoices": _invoices(part), "lines": _lines(part)}


def _told(books: Books) -> pa.Table:
    notes = by_hand(books.records, books.month)
    live = notes.filter(pc.not_equal(notes["state"], InvoiceState.VOID.value))
    return in_order(pa.concat_tables([books.made, live]), HEAD_ORDER)


def _invoices(part: InvoicePart) -> pa.Table:
    place = pa.arange(0, part.heads.num_rows)
    heads = part.heads.append_column("place", place)
    own = {"heads": heads, "invoice_lines": part.lines, "documents": part.documents}
    with database(own) as connection:
        asked = {"outside": list(OUTSIDE_SUBTOTAL)}
        return as_table(connection.sql(_SQL, params=asked).to_arrow_table(), _INVOICES)


def _lines(part: InvoicePart) -> pa.Table:
    places = pc.index_in(part.lines["invoice"], value_set=part.heads["id"].combine_chunks())
    own = {name: part.heads[name].take(places) for name in _OF_HEAD}
    own["line"] = part.lines["ordinal"]
    columns = {name: own[name] if name in own else part.lines[name] for name in _LINES}
    return as_table(pa.table(columns), _LINES)
