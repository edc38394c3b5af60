"""All invoices of a month as they are stored, held to the ledger's lines that they were made of.

They are read once and in parts of whole tenants, so that memory does not grow with their number.
Where the lines of a part are those that the ledger's make, as is usual, nothing is asked of each.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import groupby

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.engine import database
from pipelines.columns.line_parts import between, ranges_of
from pipelines.columns.ordering import ordered
from pipelines.columns.tables import as_table, lines_by_subscription, rows_of, table_of
from pipelines.invoices.books import Books
from pipelines.invoices.draft_tables import line_table, lines_of
from pipelines.invoices.invoice_parts import AT_ONCE
from pipelines.invoices.lines_on_invoices import told_apart
from schemas.invoice import (
    USAGE_KINDS,
    InvoiceState,
    invoice_id,
    late_note_id,
    month_billed,
)
from schemas.money import MOST_MINOR
from schemas.tables import DOCUMENT_COLUMNS, INVOICE_LINE_COLUMNS, TOTAL_COLUMNS

_SQL = files("pipelines") / "sql" / "checks"
_FOUND, _DIFFERING, _WRONG, _CURRENCIES = (
    (_SQL / f"{name}.sql").read_text() for name in ("found", "differing", "wrong", "currencies")
)
_ENDING = 500
"""So many bytes at a document's end, where its total stands as a rule, are looked at first."""


@dataclass(frozen=True, slots=True)
class StoredInvoices:
    """What is wrong with the invoices of a month, and what they bill (`TOTAL_COLUMNS`, by tenant).

    `billed` has a row for each line. `too_dear` are the tenants and meters whose amounts reach the
    most that a line says.
    """

    findings: list[str]
    billed: pa.Table
    too_dear: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Minor units by currency: of the ledger's lines, and of the invoices that the close made."""

    of_lines: Counter[str] = field(default_factory=Counter)
    of_invoices: Counter[str] = field(default_factory=Counter)

    def differences(self) -> Iterator[str]:
        for currency in sorted(self.of_lines.keys() | self.of_invoices.keys()):
            lines, invoices = self.of_lines[currency], self.of_invoices[currency]
            if lines != invoices:
                yield f"{currency}: invoices add up to {invoices}, lines to {lines}"


def read_invoices(books: Books, at_once: int = AT_ONCE) -> StoredInvoices:
    """Hold the invoices to the ledger's lines, and tell what they bill by tenant and meter.

    They have exactly the ledger's lines, every total is the exact sum of them and stands in the
    document, and all of a currency come to what the lines come to.
    """
    findings, billed, sums = list[str](), [table_of([], TOTAL_COLUMNS)], _Sums()
    too_dear = set[tuple[str, str]]()
    for tenants, lines in ranges_of(books.line_stream(), at_once):
        expected = _expected(lines, books)
        stored = as_table(books.lines_on_invoices(tenants), INVOICE_LINE_COLUMNS)
        documents = as_table(books.documents(tenants), DOCUMENT_COLUMNS)
        heads = _placed(between(books.heads, *tenants))
        own = _by_place(stored, heads)
        tables = {"heads": heads, "invoice_lines": own, "documents": _texts(documents, heads)}
        with database({"lines": lines, **tables}) as connection:
            connection.execute(_FOUND)
            findings += _wrong(connection, _differing(connection, stored, expected))
            _add_up(sums, connection)
        billed.append(_billed(own, heads))
        too_dear |= _too_dear(own, heads)
    findings += sums.differences()
    return StoredInvoices(findings, pa.concat_tables(billed), frozenset(too_dear))


def billed_quantities(books: Books) -> pa.Table:
    """What each line of invoices that are not void bills (`TOTAL_COLUMNS`), as they stand."""
    found = [table_of([], TOTAL_COLUMNS)]
    for tenants, _ in ranges_of(books.line_stream(), AT_ONCE):
        lines = as_table(books.lines_on_invoices(tenants), INVOICE_LINE_COLUMNS)
        heads = _placed(between(books.heads, *tenants))
        found.append(_billed(_by_place(lines, heads), heads))
    return pa.concat_tables(found)


def _placed(heads: pa.Table) -> pa.Table:
    """The heads with their places: what is said of an invoice is found by a number, not its id."""
    return heads.append_column("place", pa.arange(0, heads.num_rows).cast(pa.int32()))


def _by_place(rows: pa.Table, heads: pa.Table) -> pa.Table:
    """The rows with the places of their invoices for ids; null is the place of a stray one."""
    return rows.set_column(0, "invoice", pc.index_in(rows["invoice"], value_set=heads["id"]))


def _texts(documents: pa.Table, heads: pa.Table) -> pa.Table:
    """The documents by place, and how they end."""
    ends = pc.binary_slice(documents["document"], -_ENDING, None)
    return _by_place(documents, heads).append_column("ending", ends)


def _billed(lines: pa.Table, heads: pa.Table) -> pa.Table:
    """What the lines of invoices that are not void bill, each by tenant and meter."""
    bills = pc.is_in(lines["kind"], value_set=pa.array(USAGE_KINDS, pa.string()))
    told = _of_live(lines.select(["invoice", "meter", "quantity_micro"]).filter(bills), heads)
    return ordered(told["invoice"].to_numpy(), told).select(list(TOTAL_COLUMNS))


def _too_dear(lines: pa.Table, heads: pa.Table) -> set[tuple[str, str]]:
    """Whose usage of which meter costs the most that a line says, if not void: it may be more."""
    amounts = lines["amount_minor"]
    reaches = pc.or_(pc.less_equal(amounts, -MOST_MINOR), pc.greater_equal(amounts, MOST_MINOR))
    is_dear = pc.and_(reaches, pc.equal(lines["kind"], "overage"))
    rows = rows_of(_of_live(lines.select(["invoice", "meter"]).filter(is_dear), heads))
    return {(row["tenant"], row["meter"]) for row in rows}


def _of_live(lines: pa.Table, heads: pa.Table) -> pa.Table:
    """These lines of invoices that are not void, with their tenants; nothing in them is null."""
    is_void = pc.equal(heads["state"], InvoiceState.VOID.value)
    tenants = pc.if_else(is_void, pa.scalar(None, pa.string()), heads["tenant"])
    return lines.append_column("tenant", tenants.take(lines["invoice"])).drop_null()


def _expected(lines: pa.Table, books: Books) -> pa.Table:
    """What the ledger's lines make of the close's invoices and notes (`INVOICE_LINE_COLUMNS`)."""
    on_invoices, on_notes = told_apart(lines, books)
    return pa.concat_tables([lines_of(on_invoices, books.month), _of_notes(on_notes, books.month)])


def _of_notes(lines: pa.Table, month: str) -> pa.Table:
    return line_table(
        (_note_id(row["subscription"], corrected, month), tuple(of_month))
        for row, own in lines_by_subscription(lines)
        for corrected, of_month in groupby(own, key=month_billed)
    )


def _note_id(subscription: str, corrected: str, month: str) -> str:
    return late_note_id(invoice_id(subscription, corrected), month)


def _differing(
    connection: duckdb.DuckDBPyConnection, stored: pa.Table, expected: pa.Table
) -> pa.Table:
    """The invoices whose lines are not the expected ones, each by its id."""
    if stored.equals(expected):
        return pa.table({"id": pa.array([], pa.string())})
    connection.register("stored_lines", stored)
    connection.register("expected_lines", expected)
    return connection.sql(_DIFFERING).to_arrow_table()


def _wrong(connection: duckdb.DuckDBPyConnection, differing: pa.Table) -> Iterator[str]:
    connection.register("differing", differing)
    for row in rows_of(connection.sql(_WRONG).to_arrow_table()):
        if not row["has_its_lines"]:
            yield f"{row['id']}: its lines are not those of the ledger"
        if row["sum_minor"] != row["total_minor"]:
            yield f"{row['id']}: its lines add up to {row['sum_minor']}, not {row['total_minor']}"
        if row["stated_minor"] != row["total_minor"]:
            yield f"{row['id']}: the document says {row['stated_minor']}, not {row['total_minor']}"


def _add_up(sums: _Sums, connection: duckdb.DuckDBPyConnection) -> None:
    for row in rows_of(connection.sql(_CURRENCIES).to_arrow_table()):
        sums.of_lines[row["currency"]] += int(row["of_lines"])
        sums.of_invoices[row["currency"]] += int(row["of_invoices"])
