"""What counter, warehouse and invoice say of a month, read for `pipelines.three_way`.

`as_recorded` is the closing's own comparison; `as_of_now` reads all three again.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.books import Books
from pipelines.metering import meters_of
from pipelines.reconciliation import of_month, rows_of_table
from pipelines.three_way import Readings, ThreeWay, billed_with_corrections, three_way
from pipelines.usage_reading import quantities, read_totals
from schemas.closing import CounterComparison, Reconciliation
from schemas.invoice import Invoice, InvoiceState
from schemas.period import BillingPeriod
from schemas.ports import ClosingLedger, Log, UsageReader
from schemas.quantity import format_micro


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


def as_of_now(month: str, ledger: ClosingLedger, usage: UsageReader, log: Log) -> list[ThreeWay]:
    """The three figures of a month whose closing was opened, as far as all has been landed.

    Raises:
        NotFound: it was not opened.
    """
    books, landed = Books(month, ledger), log.landed()
    meters, vector = meters_of(books.catalogs), books.closing.vector
    catalog = books.catalogs[books.closing.catalog_version]
    counters = usage.compare_counters(books.span, catalog, log).rows
    recorded = rows_of_table(ledger.reconciliation(month))
    unpriced = {(row.tenant, row.meter): row.unpriced_micro for row in recorded}
    readings = Readings(
        now=quantities(read_totals(usage, books.period, landed, meters, books.anchored)),
        counters=of_month(counters, books.period, books.anchored),
        at_cut=quantities(read_totals(usage, books.period, vector, meters, books.anchored)),
        billed=billed_with_corrections(_invoices(books, ledger, usage, log), month, unpriced),
        void=billed_with_corrections(_void(books, ledger), month, {}),
    )
    return three_way(readings)


def _invoices(
    books: Books, ledger: ClosingLedger, usage: UsageReader, log: Log
) -> Iterable[Invoice]:
    """The month's, and those of whoever is late, on which corrections stand."""
    late = usage.late(books.span, books.closing.vector, log.landed())
    yield from books.invoices
    yield from (each for each in ledger.invoices_of(late) if each.month != books.month)


def _void(books: Books, ledger: ClosingLedger) -> list[Invoice]:
    """Those that nothing took the place of."""
    void = InvoiceState.VOID
    names = set(books.made.filter(pc.equal(books.made["state"], void.value))["id"].to_pylist())
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
