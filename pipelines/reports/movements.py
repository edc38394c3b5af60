"""What changes between two sets of totals: who pays less or more, and how far changes reach.

Owns the arithmetic of comparing; what is compared (prices, months, runs) is the callers'. Amounts
of different currencies never meet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import NamedTuple

import pyarrow as pa

from schemas.money import divide_half_away

Totals = Mapping[tuple[str, str], int]
"""Minor units by (tenant, currency)."""

_PPM = 1_000_000
_PERCENTILES = (5, 50, 95)


class Move(NamedTuple):
    """One tenant's total before and after, in minor units."""

    tenant: str
    currency: str
    before_minor: int
    after_minor: int

    @property
    def change_minor(self) -> int:
        """What is paid more; less than nothing is cheaper."""
        return self.after_minor - self.before_minor

    @property
    def change_ppm(self) -> int | None:
        """The change in millionths of what was paid before; None where that was nothing."""
        if self.before_minor == 0:
            return None
        return divide_half_away(self.change_minor * _PPM, abs(self.before_minor))


@dataclass(frozen=True, slots=True)
class Spread:
    """The 5th, 50th and 95th percentile, each the change of a real tenant (nearest rank)."""

    p5: int
    p50: int
    p95: int


@dataclass(frozen=True, slots=True)
class Movement:
    """All tenants of one currency together.

    `winners` pay less than before, `losers` more. `ppm` is of those who paid something before.
    """

    currency: str
    tenants: int
    before_minor: int
    after_minor: int
    winners: int
    losers: int
    minor: Spread
    paid_before: int
    ppm: Spread | None

    @property
    def change_minor(self) -> int:
        """How much more is billed."""
        return self.after_minor - self.before_minor


def totals_of(lines: pa.Table) -> dict[tuple[str, str], int]:
    """What lines (`LINE_COLUMNS`) add up to by tenant and currency."""
    keys = ["tenant", "currency"]
    sums = lines.group_by(keys).aggregate([("amount_minor", "sum")])
    columns = (sums[name].to_pylist() for name in (*keys, "amount_minor_sum"))
    return {(tenant, currency): minor for tenant, currency, minor in zip(*columns, strict=True)}


def added(many: Iterable[Totals]) -> dict[tuple[str, str], int]:
    """Totals of several months as one."""
    sums: dict[tuple[str, str], int] = {}
    for totals in many:
        for key, minor in totals.items():
            sums[key] = sums.get(key, 0) + minor
    return sums


def moves(before: Totals, after: Totals) -> list[Move]:
    """Every tenant of either side, by tenant and currency; who is missing there pays nothing."""
    return [
        Move(*key, before.get(key, 0), after.get(key, 0))
        for key in sorted(before.keys() | after.keys())
    ]


def summarize(found: Sequence[Move]) -> list[Movement]:
    """A movement for each currency, in order."""
    return list(_movements(found))


def _movements(found: Sequence[Move]) -> Iterator[Movement]:
    for currency in sorted({move.currency for move in found}):
        own = [move for move in found if move.currency == currency]
        changes = sorted(move.change_minor for move in own)
        relative = sorted(ppm for move in own if (ppm := move.change_ppm) is not None)
        yield Movement(
            currency=currency,
            tenants=len(own),
            before_minor=sum(move.before_minor for move in own),
            after_minor=sum(move.after_minor for move in own),
            winners=sum(change < 0 for change in changes),
            losers=sum(change > 0 for change in changes),
            minor=_spread(changes),
            paid_before=len(relative),
            ppm=_spread(relative) if relative else None,
        )


def largest(found: Iterable[Move], count: int) -> list[Move]:
    """So many of each currency, the largest change first; who did not move is left out."""
    moved = [move for move in found if move.change_minor]
    moved.sort(key=lambda move: (move.currency, -abs(move.change_minor), move.tenant))
    by_currency = groupby(moved, key=lambda move: move.currency)
    return [move for _, own in by_currency for move in islice(own, count)]


def _spread(rising: Sequence[int]) -> Spread:
    """Percentiles of values in order, by nearest rank: always one of them, never between two."""
    return Spread(*(rising[-(-percent * len(rising) // 100) - 1] for percent in _PERCENTILES))
