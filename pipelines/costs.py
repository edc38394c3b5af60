"""What a quantity costs under each price model: the specification, in exact integers.

Amounts are integers of 1e-18 of a currency's major unit ("atto"), so that a quantity in 1e-6 units
times a unit price in 1e-12 loses nothing; they are rounded once, by `to_minor`, a line at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.money import PICO, divide_half_away, minor_per_major, parse_pico
from schemas.prices import (
    DEFAULT,
    PPM,
    Graduated,
    Matrix,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    Tier,
    Volume,
)
from schemas.quantity import MICRO

ATTO = MICRO * PICO
"""Amounts here are integers of 1e-18 of a major unit."""


@dataclass(frozen=True, slots=True)
class Used:
    """What is priced: a quantity in 1e-6 units, never negative, and how many events made it.

    `by_value` is the same quantity by the value of a matrix's dimension.
    """

    quantity_micro: int
    events: int = 0
    by_value: Mapping[str, int] = field(default_factory=dict)


def to_minor(amount_atto: int, currency: str) -> int:
    """Minor units, rounded half away from zero: the one rounding of a line."""
    return divide_half_away(amount_atto, ATTO // minor_per_major(currency))


def cost(price: PriceModel, used: Used, currency: str) -> int:
    """What was used from the beginning of the period costs, in atto.

    A line is the difference of two of these, so the parts of a quantity cost what the whole does,
    however a period is cut.

    Raises:
        ValueError: the quantity is negative.
    """
    if used.quantity_micro < 0:
        raise ValueError("a negative quantity has no cost; it is held back before it is priced")
    return _COSTS[type(price)](price, used, currency)


def _per_unit(price: PerUnit, used: Used, currency: str) -> int:
    return used.quantity_micro * price.unit_price_pico(currency)


def _package(price: Package, used: Used, currency: str) -> int:
    """1,001 units in packages of 1,000 are two packages."""
    begun = -(-used.quantity_micro // (price.per * MICRO))
    return begun * parse_pico(price.price[currency]) * MICRO


def _graduated(price: Graduated, used: Used, currency: str) -> int:
    """The first million at one price, the rest at another; a bound belongs to the lower tier."""
    total, lower = 0, 0
    for tier in price.tiers:
        if used.quantity_micro <= lower:
            break
        upper = used.quantity_micro if tier.up_to is None else min(used.quantity_micro, tier.up_to)
        total += (upper - lower) * tier.unit_price_pico(currency)
        total += tier.flat_pico(currency) * MICRO
        lower = upper if tier.up_to is None else tier.up_to
    return total


def _volume(price: Volume, used: Used, currency: str) -> int:
    """Everything at the price of the tier that the whole quantity falls into."""
    if not used.quantity_micro:
        return 0
    tier = _tier_of(price.tiers, used.quantity_micro)
    per_unit = used.quantity_micro * tier.unit_price_pico(currency)
    return per_unit + tier.flat_pico(currency) * MICRO


def _tier_of(tiers: tuple[Tier, ...], quantity_micro: int) -> Tier:
    return next(t for t in tiers if t.up_to is None or quantity_micro <= t.up_to)


def _percentage(price: Percentage, used: Used, currency: str) -> int:
    """2.9 % of 100.00 and 0.30 for each of 2 events are 3.50."""
    share = used.quantity_micro * price.rate * (PICO // PPM)
    fixed = used.events * parse_pico(price.fixed.get(currency, "0")) * MICRO
    if not used.quantity_micro and not used.events:
        return 0
    least = parse_pico(price.minimum.get(currency, "0")) * MICRO
    total = max(share + fixed, least)
    if currency in price.maximum:
        return min(total, parse_pico(price.maximum[currency]) * MICRO)
    return total


def _matrix(price: Matrix, used: Used, currency: str) -> int:
    """Each value of the dimension at its own price, the others at the default one."""
    return sum(
        quantity * price.prices.get(value, price.prices[DEFAULT]).unit_price_pico(currency)
        for value, quantity in used.by_value.items()
    )


_COSTS: dict[type, Callable[[Any, Used, str], int]] = {
    PerUnit: _per_unit,
    Package: _package,
    Graduated: _graduated,
    Volume: _volume,
    Percentage: _percentage,
    Matrix: _matrix,
}
