"""Tables of what changes between two sets of totals: by currency, and the largest movers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from countinghouse.cli.tables import Format, show
from schemas.money import format_minor

if TYPE_CHECKING:
    from pipelines.reports.movements import Move, Movement

SUMMARY_COLUMNS = ("currency", "tenants", "before", "after", "change", "winners", "losers")
SPREAD_COLUMNS = ("currency", "change", "tenants", "p5", "p50", "p95")
MOVE_COLUMNS = ("tenant", "currency", "before", "after", "change", "percent")
_PPM_A_PERCENT_TENTH = 1_000


def amount(minor: int, currency: str) -> str:
    """Decimal text that a script can read: no separator of thousands."""
    return format_minor(minor, currency).replace(",", "")


def percent(ppm: int | None) -> str:
    """Millionths as per cent with a digit, such as -12.5%; nothing of nothing is empty."""
    if ppm is None:
        return ""
    tenths = (abs(ppm) + _PPM_A_PERCENT_TENTH // 2) // _PPM_A_PERCENT_TENTH
    sign = "-" if ppm < 0 and tenths else ""
    return f"{sign}{tenths // 10}.{tenths % 10}%"


def show_moves(found: "Sequence[Move]", top: int, form: Format) -> None:
    """Totals by currency, how the changes of tenants spread, and who moved most."""
    from pipelines.reports.movements import largest, summarize

    movements, movers = summarize(found), largest(found, top)
    is_table = form is Format.TABLE
    show(SUMMARY_COLUMNS, summary_rows(movements), form)
    if movements:
        typer.echo("\nchanges of tenants, percentiles:" if is_table else "")
        show(SPREAD_COLUMNS, spread_rows(movements), form)
    if movers:
        typer.echo("\nlargest changes of each currency:" if is_table else "")
        show(MOVE_COLUMNS, move_rows(movers), form)


def summary_rows(movements: "Iterable[Movement]") -> Iterator[tuple[Any, ...]]:
    """A row of `SUMMARY_COLUMNS` for each currency."""
    for it in movements:
        money = (it.before_minor, it.after_minor, it.change_minor)
        yield (
            it.currency,
            it.tenants,
            *(amount(minor, it.currency) for minor in money),
            it.winners,
            it.losers,
        )


def spread_rows(movements: "Iterable[Movement]") -> Iterator[tuple[Any, ...]]:
    """Rows of `SPREAD_COLUMNS`: money and per cent apart, since they are of different tenants."""
    for it in movements:
        told = (amount(minor, it.currency) for minor in asdict(it.minor).values())
        yield (it.currency, "in money", it.tenants, *told)
        if it.ppm is not None:
            shares = map(percent, asdict(it.ppm).values())
            yield (it.currency, "in per cent", it.paid_before, *shares)


def move_rows(moves: "Iterable[Move]") -> Iterator[tuple[str, ...]]:
    """A row of `MOVE_COLUMNS` for each tenant."""
    for move in moves:
        money = (move.before_minor, move.after_minor, move.change_minor)
        told = (amount(minor, move.currency) for minor in money)
        yield (move.tenant, move.currency, *told, percent(move.change_ppm))


def summary_json(movements: "Iterable[Movement]") -> list[dict[str, Any]]:
    """The movements with amounts as text; `ppm` are millionths of what was paid."""
    return [
        {
            "currency": it.currency,
            "tenants": it.tenants,
            "before": amount(it.before_minor, it.currency),
            "after": amount(it.after_minor, it.currency),
            "change": amount(it.change_minor, it.currency),
            "winners": it.winners,
            "losers": it.losers,
            "change_of_tenants": {
                name: amount(minor, it.currency) for name, minor in asdict(it.minor).items()
            },
            "paid_before": it.paid_before,
            "change_of_tenants_ppm": None if it.ppm is None else asdict(it.ppm),
        }
        for it in movements
    ]


def moves_json(moves: "Iterable[Move]") -> list[dict[str, str]]:
    """Tenants with their amounts as text."""
    return [dict(zip(MOVE_COLUMNS, row, strict=True)) for row in move_rows(moves)]
