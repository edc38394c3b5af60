"""`countinghouse reconcile [MONTH]`: counters beside the warehouse, while everything runs."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.closing import CounterComparison, CountersCompared
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import format_micro

WAIT_SECONDS = 30
PARTLY = 3
COLUMNS = (
    "tenant",
    "meter",
    "window",
    "from",
    "counter",
    "warehouse",
    "late_repeats",
    "difference",
    "billed",
)


def reconcile(
    month: Annotated[str, typer.Argument(help="Like 2026-10; default: the running month.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Show agreeing counters too.")] = False,
    wait: Annotated[
        int, typer.Option(min=0, help="Seconds that landing may take to reach the counters.")
    ] = WAIT_SECONDS,
    invoices: Annotated[
        bool, typer.Option("--invoices", help="Compare with the invoices, too, cause by cause.")
    ] = False,
    as_script: JsonOption = False,
) -> None:
    """Compare every counter whose window begins in a month with the warehouse.

    Both are taken as of one position in the log, so nothing needs to stand still. Exit code 1 when
    a counter differs, 3 when landing was too far behind to compare all. `billed` is what a closed
    month's invoice says. With `--invoices` the three figures of a month's billing period stand
    beside each other with what is late, duplicate, in flight or lost between them; exit code 1
    when anything is lost.
    """
    from countinghouse.cli.three_way import show_three
    from countinghouse.closing_run import check_month
    from countinghouse.wiring import usage_log, usage_reader
    from pipelines.checks.month_ways import as_of_now
    from pipelines.checks.reconciliation import rows_of_table
    from stores import ledger

    settings = Settings()
    key = month or BillingPeriod.month_of(time.time_ns() // 1_000_000).key
    period = check_month(key)
    with (
        usage_reader(settings, patience_seconds=wait) as usage,
        closing(ledger.connect(settings.ledger_url)) as books,
    ):
        if invoices:
            with shown("counters beside warehouse and invoices"):
                asked, log = every or as_script, usage_log(settings)
                three = as_of_now(key, books, usage, log, every=asked)
            raise typer.Exit(int(show_three(three, as_script=as_script)))
        _, catalog = books.catalog()
        with shown("counters beside the warehouse"):
            log = usage_log(settings)
            found = usage.compare_counters(period, catalog, log)
            behind = sum(log.landed().behind(log.ends()).values())
        recorded = rows_of_table(books.reconciliation(key))
        billed = {(r.tenant, r.meter): r.billed_micro for r in recorded}
    told = found.rows if every or as_script else found.differing
    if told or as_script:
        form = chosen_format(as_json=as_script, as_csv=False)
        show(COLUMNS, [_row(each, period, billed) for each in told], form)
    _tell(key, found)
    _tell_lag(behind)
    if found.differing or found.behind:
        raise typer.Exit(1 if found.differing else PARTLY)


def _tell(key: str, found: CountersCompared) -> None:
    """One line for the whole, and one for each partition that was not compared to its end."""
    typer.echo(
        f"{key}: {len(found.rows):,} counters compared, {len(found.differing):,} differ; "
        f"late repeats: {', '.join(late_repeats(found.rows)) or 'none'}",
        err=True,
    )
    for partition, records in sorted(found.behind.items()):
        typer.echo(
            f"partition {partition}: landing is {records:,} record{'s' * (records != 1)} behind "
            "the counters; those that it has not reached were left out",
            err=True,
        )


def late_repeats(rows: Iterable[CounterComparison]) -> list[str]:
    """What late repeats explain, by meter; of its windows the kind in which they are most."""
    sums: Counter[tuple[str, str]] = Counter()
    for each in rows:
        sums[each.meter, each.window_kind] += each.beyond_window_micro
    most: dict[str, int] = {}
    for (meter, _), micro in sorted(sums.items()):
        most[meter] = max(most.get(meter, 0), micro, key=abs)
    return [f"{format_micro(micro)} {meter}" for meter, micro in most.items() if micro]


def _tell_lag(records: int) -> None:
    """What nobody has compared, since landing has put neither usage nor counters there yet."""
    if records:
        typer.echo(
            f"landing is {records:,} record{'s' * (records != 1)} behind the log; "
            "what came since was not compared",
            err=True,
        )


def _row(
    one: CounterComparison, month: BillingPeriod, billed: Mapping[tuple[str, str], int]
) -> tuple[str | None, ...]:
    quantities = (
        one.counter_micro,
        one.warehouse_micro,
        one.beyond_window_micro,
        one.difference_micro,
    )
    is_month = one.window_kind == "billing_period" and one.window_start_ms == month.start_ms
    invoiced = billed.get((one.tenant, one.meter)) if is_month else None
    return (
        one.tenant,
        one.meter,
        one.window_kind,
        format_instant(one.window_start_ms),
        *map(format_micro, quantities),
        None if invoiced is None else format_micro(invoiced),
    )
