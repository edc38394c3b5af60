"""`countinghouse reconcile MONTH --invoices`: counter, warehouse and invoice, and what differs."""

from collections.abc import Iterable

import typer

from countinghouse.cli.tables import chosen_format, show
from pipelines.books import Books
from pipelines.metering import meters_of
from pipelines.reconciliation import of_month, rows_of_table
from pipelines.three_way import Readings, ThreeWay, billed_with_corrections, three_way
from pipelines.usage_reading import read_totals
from schemas.invoice import Invoice
from schemas.ports import ClosingLedger, Log, UsageReader
from schemas.quantity import format_micro

COLUMNS = (
    "tenant", "meter", "counter", "warehouse", "invoice", "late", "duplicate", "in_flight", "lost",
)  # fmt: skip


def compare_three(
    month: str, ledger: ClosingLedger, usage: UsageReader, log: Log
) -> list[ThreeWay]:
    """The three figures of a month whose closing was opened, as far as all has been landed.

    Raises:
        NotFound: it was not opened.
    """
    books, landed = Books(month, ledger), log.landed()
    meters, vector = meters_of(books.catalogs), books.closing.vector
    catalog = books.catalogs[books.closing.catalog_version]
    counters = usage.compare_counters(books.span, catalog, log).rows
    recorded = rows_of_table(ledger.reconciliation(month))
    unpriced = {(r.tenant, r.meter): r.unpriced_micro for r in recorded}
    readings = Readings(
        now=read_totals(usage, books.period, landed, meters, books.anchored),
        counters=of_month(counters, books.period, books.anchored),
        at_cut=read_totals(usage, books.period, vector, meters, books.anchored),
        billed=billed_with_corrections(_invoices(books, ledger, usage, log), month, unpriced),
    )
    return three_way(readings)


def _invoices(
    books: Books, ledger: ClosingLedger, usage: UsageReader, log: Log
) -> Iterable[Invoice]:
    """The month's, and those of whoever is late, on which corrections stand."""
    late = usage.late(books.span, books.closing.vector, log.landed())
    yield from books.invoices
    yield from (each for each in ledger.invoices_of(late) if each.month != books.month)


def show_three(rows: list[ThreeWay], *, every: bool, as_script: bool) -> bool:
    """Print the rows, those with a cause alone unless all are wanted; is anything lost?"""
    shown = rows if every or as_script else [row for row in rows if row.causes]
    show(COLUMNS, map(_row, shown), chosen_format(as_json=as_script, as_csv=False))
    told = (
        f"{sum(cause in row.causes for row in rows):,} {cause}"
        for cause in ("late", "duplicate", "in flight", "lost")
    )
    typer.echo(f"{len(rows):,} compared three ways: {', '.join(told)}", err=True)
    return any(row.lost_micro for row in rows)


def _row(row: ThreeWay) -> tuple[str | None, ...]:
    figures = (
        row.counter_micro,
        row.warehouse_micro,
        row.invoiced_micro,
        row.late_micro,
        row.duplicate_micro,
        row.in_flight_micro,
        row.lost_micro,
    )
    return row.tenant, row.meter, *(None if it is None else format_micro(it) for it in figures)
