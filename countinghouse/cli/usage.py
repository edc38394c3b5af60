"""`countinghouse usage`: what tenants have used in a month; its commands list what is amiss."""

import time
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.late import late
from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format, show
from countinghouse.cli.unbilled import repeated, unbilled
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from schemas.period import BillingPeriod
from stores import ledger
from stores.warehouse import client
from stores.warehouse.so_far import used_so_far

COLUMNS = ("tenant", "meter", "quantity", "events", "last_event")


usage = typer.Typer(invoke_without_command=True)
usage.command("late")(late)
usage.command("unbilled")(unbilled)
usage.command("repeated")(repeated)


@usage.callback()
def used(
    context: typer.Context,
    month: Annotated[str, typer.Option(help="Like 2026-10; default: the running month.")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    meter: Annotated[str, typer.Option(help="Only this meter.")] = "",
    as_script: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show what tenants have used in a month, as far as it has been landed; each event once."""
    if context.invoked_subcommand is not None:
        return
    period = _period(month)
    settings = Settings()
    _, catalog = ledger.connect(settings.ledger_url).catalog()
    with closing(client.connect(settings.clickhouse_url)) as warehouse, shown("usage"):
        rows = used_so_far(warehouse, period, catalog.meter_list, tenant, meter)
    show(COLUMNS, rows, chosen_format(as_json=as_script, as_csv=as_csv))


def _period(month: str) -> BillingPeriod:
    if not month:
        return BillingPeriod.month_of(time.time_ns() // 1_000_000)
    try:
        return BillingPeriod.month(month)
    except ValueError as problem:
        raise InvalidInput(str(problem)) from None
