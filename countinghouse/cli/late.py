"""`countinghouse usage late [MONTH]`: what came after its month was closed, and what it changes."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from pipelines.corrections.late_listing import LateTenant
from schemas.closing import ClosingState
from schemas.errors import NotFound
from schemas.money import format_minor
from schemas.period import format_instant
from schemas.quantity import format_micro

if TYPE_CHECKING:
    from stores.ledger import Ledger

COLUMNS = (
    "month",
    "tenant",
    "usage",
    "events",
    "late_by",
    "last_arrival",
    "currency",
    "corrected",
    "corrected_in",
    "open",
)


def late(
    month: Annotated[str, typer.Argument(help="Like 2026-10; default: every closed month.")] = "",
    as_script: JsonOption = False,
) -> None:
    """List usage that came after its month was closed, and what it changes for each tenant.

    `open` is what the next close corrects by itself; `corrected` stands on invoices already.
    """
    from countinghouse.closing_run import check_month
    from countinghouse.wiring import usage_log, usage_reader
    from pipelines.corrections.late_listing import late_usage
    from stores import ledger

    settings = Settings()
    with (
        usage_reader(settings) as usage,
        closing(ledger.connect(settings.ledger_url)) as books,
        shown("what came after each close"),
    ):
        months = [_closed_month(books, check_month(month).key)] if month else []
        found = late_usage(books, usage, usage_log(settings).landed(), months)
    form = chosen_format(as_json=as_script, as_csv=False)
    show(COLUMNS, (_row(each) for each in found), form)
    _tell(found)


def _closed_month(books: "Ledger", month: str) -> str:
    """The month, which is closed. Raises NotFound."""
    closing = books.closing(month)
    if closing is None or closing.state is not ClosingState.CLOSED:
        raise NotFound(
            f"{month} is not closed, so nothing of it is late; `countinghouse close {month}` "
            "closes it when it is over"
        )
    return month


def _row(its: LateTenant) -> tuple[Any, ...]:
    return (
        its.month,
        its.tenant,
        ", ".join(f"{row.meter} {format_micro(row.quantity_micro)}" for row in its.rows),
        sum(row.own_events for row in its.rows),
        duration(max(row.longest_ms for row in its.rows)),
        format_instant(max(row.last_arrived_ms for row in its.rows)),
        its.currency,
        _amount(its.corrected_minor, its.currency),
        ", ".join(its.corrected_in),
        _amount(its.open_minor, its.currency),
    )


def _amount(amount_minor: int, currency: str) -> str:
    """Decimal text that a script can read; who has no subscription owes nothing."""
    return format_minor(amount_minor, currency).replace(",", "") if currency else ""


def duration(milliseconds: int) -> str:
    """A duration as a person says it: "3 d 4 h", "12 min"."""
    days, rest = divmod(milliseconds // 60_000, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = _parts(days, hours, minutes)
    return " ".join(list(parts)[:2]) or "under 1 min"


def _parts(days: int, hours: int, minutes: int) -> Iterator[str]:
    for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")):
        if number:
            yield f"{number} {unit}"


def _tell(found: list[LateTenant]) -> None:
    tenants = len({each.tenant for each in found})
    whose = "1 tenant" if tenants == 1 else f"{tenants:,} tenants"
    typer.echo(f"{whose} with late usage of closed months", err=True)
    for each in found:
        if each.carried_on:
            typer.echo(f"{each.tenant}, {each.month}: carried on, {each.carried_on}", err=True)
