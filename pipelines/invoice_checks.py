"""What must hold of all invoices of a month at once, found by a few statements over their columns.

Each check is a list of findings to read, empty where all is well. `pipelines.checks` has those
that look at prices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.books import Books
from pipelines.draft_tables import line_table, lines_of
from pipelines.engine import database
from pipelines.line_parts import parts_of
from pipelines.tables import as_table, lines_by_subscription, rows_of
from schemas.invoice import late_note_id, month_billed
from schemas.money import Money
from schemas.tables import TOTAL_COLUMNS

SURPRISING_FACTOR = 3
SURPRISING_MINOR = 1_000
"""A total is surprising when it changed by more than this factor and more than this amount."""

_SQL = files("pipelines") / "sql" / "checks"
_STATEMENTS = (
    "mark", "expected", "read_lines", "invoices", "wrong", "currencies", "billed", "surprising",
)  # fmt: skip
_TEXTS = {name: (_SQL / f"{name}.sql").read_text() for name in _STATEMENTS}
_TABLES = """
CREATE TABLE expected (invoice VARCHAR, lines BIGINT, marks UBIGINT);
CREATE TABLE line_totals (currency VARCHAR, amount_minor HUGEINT);
"""


@dataclass(frozen=True, slots=True)
class InvoicesRead:
    """All invoices read once: what is wrong with them, and what they bill (`TOTAL_COLUMNS`)."""

    findings: list[str]
    billed: pa.Table


def read_invoices(books: Books) -> InvoicesRead:
    """Hold the invoices to the ledger's lines, and add up what they bill by tenant and meter.

    They have exactly the ledger's lines, and every total is the exact sum of them. A line is
    compared by a mark of 64 bits of all that it says.
    """
    with database() as connection:
        for statement in (_TABLES, _TEXTS["mark"]):
            connection.execute(statement)
        _expect(connection, books)
        connection.register("heads", _in_order(books.heads))
        connection.register("invoice_lines", books.lines_on_invoices())
        connection.register("documents", books.documents())
        for name in ("read_lines", "invoices"):
            connection.execute(_TEXTS[name])
        billed = as_table(connection.sql(_TEXTS["billed"]).to_arrow_table(), TOTAL_COLUMNS)
        return InvoicesRead([*_wrong(connection), *_currencies(connection)], billed)


def _expect(connection: duckdb.DuckDBPyConnection, books: Books) -> None:
    """What the ledger's lines make of the close's invoices and notes."""
    for part in parts_of(books.line_stream()):
        connection.register("part", part.select(["currency", "amount_minor"]))
        connection.execute(
            "INSERT INTO line_totals SELECT currency, sum(amount_minor) FROM part GROUP BY currency"
        )
        on_invoices, on_notes = books.told_apart(part)
        for lines in (lines_of(on_invoices, books.month), _of_notes(on_notes, books.month)):
            if lines.num_rows:
                connection.register("invoice_lines", lines)
                connection.execute(_TEXTS["expected"])


def _of_notes(lines: pa.Table, month: str) -> pa.Table:
    return line_table(
        (late_note_id(row["subscription"], corrected, month), tuple(of_month))
        for row, own in lines_by_subscription(lines)
        for corrected, of_month in groupby(own, key=month_billed)
    )


def _wrong(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for row in rows_of(connection.sql(_TEXTS["wrong"]).to_arrow_table()):
        if not row["has_its_lines"]:
            yield f"{row['id']}: its lines are not those of the ledger"
        if row["sum_minor"] != row["total_minor"]:
            yield f"{row['id']}: its lines add up to {row['sum_minor']}, not {row['total_minor']}"
        if row["stated_minor"] != row["total_minor"]:
            yield f"{row['id']}: the document says {row['stated_minor']}, not {row['total_minor']}"


def _currencies(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for row in rows_of(connection.sql(_TEXTS["currencies"]).to_arrow_table()):
        yield (
            f"{row['currency']}: invoices add up to {row['of_invoices']}, "
            f"lines to {row['of_lines']}"
        )


def lines_sum_to_totals(books: Books) -> list[str]:
    """Invoices have exactly the ledger's lines, and every total is the exact sum of them."""
    return read_invoices(books).findings


def one_invoice_per_subscription(books: Books) -> list[str]:
    """Every subscription of the month has one invoice, and every invoice a subscription."""
    heads = books.live_heads
    invoiced = heads["subscription"].filter(pc.equal(heads["kind"], "invoice"))
    found, wanted = pc.unique(invoiced), books.subscribed
    missing = wanted.filter(pc.invert(pc.is_in(wanted, value_set=found)))
    surplus = found.filter(pc.invert(pc.is_in(found, value_set=wanted)))
    several = {}
    if len(found) < len(invoiced):
        counts = pc.value_counts(invoiced).to_pylist()
        several = {each["values"]: each["counts"] for each in counts if each["counts"] > 1}
    return [
        *(f"{name}: there is no invoice" for name in sorted(missing.to_pylist())),
        *(f"{name}: an invoice without subscription" for name in sorted(surplus.to_pylist())),
        *(f"{name}: there are {n} invoices" for name, n in sorted(several.items())),
    ]


def no_surprising_change(books: Books, previous: Books) -> list[str]:
    """Totals beside those of the month before; worth a look, never a reason to stop.

    A tenant's first invoice surprises nobody.
    """
    heads = {"now": _in_order(books.live_heads), "before": previous.live_heads}
    with database(heads) as connection:
        asked = {"factor": SURPRISING_FACTOR, "minor": SURPRISING_MINOR}
        found = connection.sql(_TEXTS["surprising"], params=asked).to_arrow_table()
    return [
        f"{row['tenant']}: {Money(row['total_minor'], row['currency'])}, after "
        f"{Money(row['before_minor'], row['currency'])} the month before"
        for row in rows_of(found)
    ]


def totals_by_currency(heads: pa.Table) -> dict[str, int]:
    """Minor units by currency, of invoices (`HEAD_COLUMNS`)."""
    grouped = heads.group_by("currency").aggregate([("total_minor", "sum")]).to_pylist()
    return {
        row["currency"]: row["total_minor_sum"]
        for row in sorted(grouped, key=lambda each: each["currency"])
    }


def _in_order(heads: pa.Table) -> pa.Table:
    return heads.append_column("place", pa.arange(0, heads.num_rows).cast(pa.int32()))
