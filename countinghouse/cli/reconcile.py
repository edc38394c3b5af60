"""`countinghouse reconcile [MONTH]`: counters beside the warehouse, while everything runs."""

import time
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.settings import Settings
from schemas.closing import CounterComparison
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.quantity import format_micro

ROUNDS = 10
PAUSE_SECONDS = 0.5
COLUMNS = ("tenant", "meter", "counter", "warehouse", "late_repeats", "difference", "billed")


def reconcile(
    month: Annotated[str, typer.Argument(help="Like 2026-10; the running month without it.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Show agreeing counters too.")] = False,
    as_script: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Compare every counter with the warehouse, as of the counter's own position.

    Exit code 1 when a difference stays; repeats beyond the counters' window are explained.
    `billed` is what a closed month's invoice says.
    """
    from countinghouse.cli.tables import chosen_format, show
    from countinghouse.closing_run import check_month
    from countinghouse.wiring import usage_reader
    from stores import ledger

    settings = Settings()
    key = month or BillingPeriod.month_of(time.time_ns() // 1_000_000).key
    period = check_month(key)
    with usage_reader(settings) as usage, closing(ledger.connect(settings.ledger_url)) as books:
        found = compared(usage, period)
        billed = {(r.tenant, r.meter): r.billed_micro for r in books.reconciliation(key)}
    differing = [each for each in found if each.difference_micro]
    shown = found if every or as_script else differing
    if shown or as_script:
        form = chosen_format(as_json=as_script, as_csv=False)
        show(COLUMNS, [_row(each, billed.get((each.tenant, each.meter))) for each in shown], form)
    late = sum(each.beyond_window_micro for each in found)
    typer.echo(
        f"{key}: {len(found):,} counters compared, {len(differing):,} differ, "
        f"{format_micro(late)} explained by late repeats",
        err=True,
    )
    if differing:
        raise typer.Exit(1)


def compared(usage: UsageReader, period: BillingPeriod) -> list[CounterComparison]:
    """The comparison; looked at again while a difference may be landing that is on its way."""
    for _ in range(ROUNDS - 1):
        found = usage.compare_counters(period)
        if not any(each.difference_micro for each in found):
            return found
        time.sleep(PAUSE_SECONDS)
    return usage.compare_counters(period)


def _row(one: CounterComparison, billed_micro: int | None) -> tuple[str | None, ...]:
    quantities = (
        one.counter_micro,
        one.warehouse_micro,
        one.beyond_window_micro,
        one.difference_micro,
    )
    billed = None if billed_micro is None else format_micro(billed_micro)
    return (one.tenant, one.meter, *map(format_micro, quantities), billed)
