"""What a quantity costs under each price model: the specification, in exact integers.

Amounts are integers of 1e-18 of a currency's major unit ("atto"), so that a quantity in 1e-6 units
times a unit price in 1e-12 loses nothing; they are rounded once, by `to_minor`, a line at a time.
"""

from collections.abc import Callable
from typing import Any

from schemas.money import PICO, divide_half_away, minor_per_major, parse_pico
from schemas.prices import (
    PPM,
    Graduated,
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


def to_minor(amount_atto: int, currency: str) -> int:
    """Minor units, rounded half away from zero: the one rounding of a line."""
    return divide_half_away(amount_atto, ATTO // minor_per_major(currency))


def cost(price: PriceModel, quantity_micro: int, currency: str) -> int:
    """What this much costs, counted from the beginning of the period, in atto.

    A line is the difference of two of these, so the parts of a quantity cost what the whole does,
    however a period is cut.

    Raises:
        ValueError: the quantity is negative.
    """
    if quantity_micro < 0:
        raise ValueError("a negative quantity has no cost; it is held back before it is priced")
    return _COSTS[type(price)](price, quantity_micro, currency)


def _per_unit(price: PerUnit, quantity_micro: int, currency: str) -> int:
    return quantity_micro * price.unit_price_pico(currency)


def _package(price: Package, quantity_micro: int, currency: str) -> int:
    """1,001 units in packages of 1,000 are two packages."""
    begun = -(-quantity_micro // (price.per * MICRO))
    return begun * parse_pico(price.price[currency]) * MICRO


def _graduated(price: Graduated, quantity_micro: int, currency: str) -> int:
    """The first million at one price, the rest at another; a bound belongs to the lower tier."""
    total, lower = 0, 0
    for tier in price.tiers:
        if quantity_micro <= lower:
            break
        upper = quantity_micro if tier.up_to is None else min(quantity_micro, tier.up_to)
        total += (upper - lower) * tier.unit_price_pico(currency)
        total += tier.flat_pico(currency) * MICRO
        lower = upper if tier.up_to is None else tier.up_to
    return total


def _volume(price: Volume, quantity_micro: int, currency: str) -> int:
    """Everything at the price of the tier that the whole quantity falls into."""
    if not quantity_micro:
        return 0
    tier = _tier_of(price.tiers, quantity_micro)
    per_unit = quantity_micro * tier.unit_price_pico(currency)
    return per_unit + tier.flat_pico(currency) * MICRO


def _tier_of(tiers: tuple[Tier, ...], quantity_micro: int) -> Tier:
    return next(t for t in tiers if t.up_to is None or quantity_micro <= t.up_to)


def _percentage(price: Percentage, quantity_micro: int, currency: str) -> int:
    """2.9 % of 100.00 and 0.30 are 3.20, unless that is below the minimum or above the maximum."""
    if not quantity_micro:
        return 0
    share = quantity_micro * price.rate * (PICO // PPM)
    asked = max(share + price.fixed_pico(currency) * MICRO, price.minimum_pico(currency) * MICRO)
    most = price.maximum_pico(currency)
    return asked if most is None else min(asked, most * MICRO)


_COSTS: dict[type, Callable[[Any, int, str], int]] = {
    PerUnit: _per_unit,
    Package: _package,
    Graduated: _graduated,
    Volume: _volume,
    Percentage: _percentage,
}
