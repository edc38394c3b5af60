"""`countinghouse invoices upcoming`: the running month's invoices so far, and a guess of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.moving import amount
from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.period import BillingPeriod, format_instant

if TYPE_CHECKING:
    from pipelines.reports.preview import Upcoming
    from schemas.money import Money

COLUMNS = ("tenant", "currency", "period_end", "fees", "so_far", "projected")


def upcoming(
    tenant: Annotated[str, typer.Argument(help="Only this tenant.")] = "",
    as_script: JsonOption = False,
) -> None:
    """Show the running month's invoices: exact so far, and projected to its end.

    `fees` and `so_far` are exact as of now. `projected` goes on at the pace of the last seven days
    until the period ends; meters that do not add up stay where they are. Nothing is stored.
    """
    found = _upcoming(tenant)
    form = chosen_format(as_json=as_script, as_csv=False)
    show(COLUMNS, list(_rows(found)), form)


def _upcoming(tenant: str) -> "list[Upcoming]":
    from contextlib import closing

    from countinghouse.init import now_ms
    from countinghouse.wiring import usage_log, usage_reader
    from pipelines.reports.preview import upcoming_invoices
    from stores import ledger

    settings, now = Settings(), now_ms()
    month = BillingPeriod.month_of(now).key
    with closing(ledger.connect(settings.ledger_url)) as books:
        if tenant:
            with suggesting(tenant, books.tenant_names, "subscriptions list"):
                books.subscribed(tenant)
        with usage_reader(settings) as usage, shown("usage so far, and its pace"):
            found = upcoming_invoices(month, books, usage, usage_log(settings).landed(), now)
    return [each for each in found if tenant in ("", each.tenant)]


def _rows(found: "list[Upcoming]") -> Iterator[tuple[str, ...]]:
    def text(money: "Money") -> str:
        return amount(money.amount_minor, money.currency)

    for each in found:
        ends_at = format_instant(each.period.end_ms)
        amounts = map(text, (each.fees, each.so_far, each.projected))
        yield (each.tenant, each.so_far.currency, ends_at, *amounts)
