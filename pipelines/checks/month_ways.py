"""What counter, warehouse and invoice say of a month, read for `pipelines.checks.three_way`.

`as_recorded` is the closing's own comparison; `as_of_now` reads all three again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.checks.reconciliation import of_month, rows_of_table
from pipelines.checks.three_way import Readings, ThreeWay, billed_with_corrections, three_way
from pipelines.columns.engine import database
from pipelines.columns.tables import as_table, rows_of
from pipelines.invoices.books import Books
from pipelines.invoices.stored_invoices import billed_quantities
from pipelines.usage.usage_reading import quantities, read_totals
from schemas.closing import CounterComparison, Reconciliation
from schemas.invoice import Invoice, InvoiceState
from schemas.ledger_ports import ClosingLedger
from schemas.period import BillingPeriod
from schemas.ports import Log, UsageReader
from schemas.quantity import format_micro
from schemas.tables import COUNTER_COLUMNS, RECONCILIATION_COLUMNS, TOTAL_COLUMNS
from schemas.vector import Vector

_SQL = files("pipelines") / "sql"
_CLAMPED = (_SQL / "clamped.sql").read_text()
_COMPARED = (_SQL / "compare" / "three_ways.sql").read_text()


@dataclass(frozen=True, slots=True)
class Compared:
    """How many tenants and meters were compared, and the rows that were asked for."""

    count: int
    rows: list[ThreeWay]


@dataclass(frozen=True, slots=True)
class _Figures:
    """What was read, as tables: `TOTAL_COLUMNS`, and `COUNTER_COLUMNS` of counters."""

    now: pa.Table
    at_cut: pa.Table
    billed: pa.Table
    unpriced: pa.Table
    counters: pa.Table

    def of(self, tenants: Sequence[str]) -> "_Figures":
        """Those of these tenants."""
        names = pa.array(tenants, pa.string())
        tables = (getattr(self, field.name) for field in fields(self))
        return _Figures(*(it.filter(pc.is_in(it["tenant"], value_set=names)) for it in tables))


def as_recorded(books: Books) -> list[ThreeWay]:
    """The figures of the recorded comparison that are not all the same, with each cause.

    They are as of the closing's cut: nothing is late or in flight.
    """
    rows = rows_of_table(books.compared.filter(_differ(books.compared)))
    now = {(row.tenant, row.meter): row.warehouse_micro for row in rows}
    billed = {(row.tenant, row.meter): row.billed_micro + row.unpriced_micro for row in rows}
    counters = list(_counters(rows, books.period))
    return [row for row in three_way(Readings(now, counters, now, billed)) if row.causes]


def _differ(rows: pa.Table) -> pa.ChunkedArray:
    accounted = pc.add(rows["billed_micro"], rows["unpriced_micro"])
    counter = pc.fill_null(rows["counter_micro"], rows["warehouse_micro"])
    uncounted = pc.not_equal(counter, rows["warehouse_micro"])
    return pc.or_(uncounted, pc.not_equal(accounted, rows["warehouse_micro"]))


def _counters(rows: Iterable[Reconciliation], period: BillingPeriod) -> Iterator[CounterComparison]:
    for row in rows:
        if row.counter_micro is not None:
            figures = row.counter_micro, row.warehouse_micro, row.beyond_window_micro
            yield CounterComparison(
                row.tenant, row.meter, "billing_period", period.start_ms, *figures
            )


def as_of_now(
    month: str, ledger: ClosingLedger, usage: UsageReader, log: Log, *, every: bool = False
) -> Compared:
    """The three figures of a month whose closing was opened, as far as all has been landed.

    Those that are not all the same, or all of them where `every` is asked for.

    Raises:
        NotFound: it was not opened.
    """
    books, landed = Books(month, ledger), log.landed()
    figures = _figures(books, ledger, usage, log, landed)
    count, differing = _compared(figures, books)
    if every:
        late = usage.late(books.span, books.closing.vector, landed)
        others = (each for each in ledger.invoices_of(late) if each.month != month)
        rows = three_way(_readings(figures, [*books.invoices, *others], books, ledger))
        return Compared(count, rows)
    own, invoices = figures.of(differing), ledger.invoices_of(differing)
    rows = three_way(_readings(own, invoices, books, ledger))
    return Compared(count, [row for row in rows if row.causes])


def _figures(
    books: Books, ledger: ClosingLedger, usage: UsageReader, log: Log, landed: Vector
) -> _Figures:
    meters, vector = books.meters, books.closing.vector
    catalog = books.catalogs[books.closing.catalog_version]
    names = ["tenant", "meter", "unpriced_micro"]
    recorded = as_table(ledger.reconciliation(books.month), RECONCILIATION_COLUMNS).select(names)
    unpriced = recorded.filter(pc.not_equal(recorded["unpriced_micro"], 0))
    return _Figures(
        now=read_totals(usage, books.period, landed, meters, books.anchored),
        at_cut=read_totals(usage, books.period, vector, meters, books.anchored),
        billed=billed_quantities(books),
        unpriced=unpriced.rename_columns(list(TOTAL_COLUMNS)),
        counters=as_table(usage.compare_counters(books.span, catalog, log).table, COUNTER_COLUMNS),
    )


def _compared(figures: _Figures, books: Books) -> tuple[int, list[str]]:
    """How many figures there are, and the tenants of whom any two differ."""
    tables = {
        "now": figures.now,
        "billed": figures.billed,
        "unpriced": figures.unpriced,
        "counters": figures.counters,
    }
    with database(tables) as connection:
        connection.execute(_CLAMPED)
        asked = {"start_ms": books.period.start_ms}
        [found] = connection.sql(_COMPARED, params=asked).to_arrow_table().to_pylist()
    return found["compared"], sorted(found["tenants"])


def _readings(
    figures: _Figures, invoices: Iterable[Invoice], books: Books, ledger: ClosingLedger
) -> Readings:
    counters = [CounterComparison(**row) for row in rows_of(figures.counters)]
    unpriced = quantities(figures.unpriced)
    return Readings(
        now=quantities(figures.now),
        counters=of_month(counters, books.period, books.anchored),
        at_cut=quantities(figures.at_cut),
        billed=billed_with_corrections(invoices, books.month, unpriced),
        void=billed_with_corrections(_void(books, ledger), books.month, {}),
    )


def _void(books: Books, ledger: ClosingLedger) -> list[Invoice]:
    """Those that nothing took the place of."""
    void, made = InvoiceState.VOID, books.made
    names = set(made.filter(pc.equal(made["state"], void.value))["id"].to_pylist())
    return [each for each in ledger.invoices(books.month, (void,)) if each.id in names]


def in_words(row: ThreeWay) -> str:
    """A row's figures and the causes of their difference: "acme, tokens: lost 5; counter 0, …"."""
    causes = ", ".join(f"{cause} {format_micro(row.by_cause[cause])}" for cause in row.causes)
    figures = {
        "counter": row.counter_micro,
        "warehouse": row.warehouse_micro,
        "invoice": row.invoiced_micro,
    }
    told = [f"{name} {format_micro(it)}" for name, it in figures.items() if it is not None]
    return f"{row.tenant}, {row.meter}: {causes}; {', '.join(told)}"
