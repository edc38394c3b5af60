"""Tables of what changes between two sets of totals: by currency, and the largest movers."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from schemas.money import format_minor

if TYPE_CHECKING:
    from pipelines.reports.movements import Move, Movement, Spread

SUMMARY_COLUMNS = (
    "currency", "tenants", "before", "after", "change", "winners", "losers", "p5", "p50", "p95",
)  # fmt: skip
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
            *_spread_texts(it),
        )


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
            "change_of_tenants_ppm": None if it.ppm is None else asdict(it.ppm),
        }
        for it in movements
    ]


def moves_json(moves: "Iterable[Move]") -> list[dict[str, str]]:
    """Tenants with their amounts as text."""
    return [dict(zip(MOVE_COLUMNS, row, strict=True)) for row in move_rows(moves)]


def _spread_texts(movement: "Movement") -> Iterator[str]:
    """Each percentile as an amount, with that of the shares beside it."""
    for change, share in zip(_values(movement.minor), _values(movement.ppm), strict=True):
        beside = "" if share is None else f" ({percent(share)})"
        yield f"{amount(change or 0, movement.currency)}{beside}"


def _values(spread: "Spread | None") -> tuple[int | None, ...]:
    return (None,) * 3 if spread is None else (spread.p5, spread.p50, spread.p95)
