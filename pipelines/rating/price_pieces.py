"""Every price model as linear pieces: what `sql/plain_charges.sql` computes with.

Owns the pieces, and how far 64 bits are enough for them. What a model is and costs is said in
`schemas.prices` and `pipelines.rating.costs`; the pieces say the same of every quantity.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

from pipelines.rating.costs import ATTO
from schemas.money import PICO, minor_per_major, parse_pico
from schemas.prices import PPM, Graduated, Matrix, Package, Percentage, PerUnit, PriceModel, Volume
from schemas.quantity import MICRO

WITHOUT_END = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Piece:
    """For q in `(lower, upper]` a price is `flat + ceil((q - origin) / per) * unit`.

    That many `divisor`-ths of a minor unit. Quantities are in 1e-6 units.
    """

    lower_micro: int
    upper_micro: int
    unit: int
    flat: int
    origin_micro: int = 0
    per_micro: int = 1
    divisor: int = 1

    @property
    def safe_micro(self) -> int:
        """Up to which quantity `2 * price + divisor`, and all on the way to it, fits 64 bits."""
        room = (WITHOUT_END - self.divisor) // 2 - self.flat
        if room < 0 or self.unit < 0 or self.flat < 0:
            return -1
        steps = room // self.unit if self.unit else WITHOUT_END
        return min(self.origin_micro + steps * self.per_micro, WITHOUT_END - self.per_micro)


def pieces(price: PriceModel, currency: str) -> list[Piece]:
    """The pieces of a price, rising and without a gap; of a matrix, those of its default.

    Numbers are as small as they can be without any rounding: 0.04 USD is 1 for each 250,000.
    """
    found = [each for each in _pieces(price, currency) if each.lower_micro < each.upper_micro]
    divisor = ATTO // minor_per_major(currency)
    by = gcd(divisor, *(each.unit for each in found), *(each.flat for each in found))
    return [
        replace(each, unit=each.unit // by, flat=each.flat // by, divisor=divisor // by)
        for each in found
    ]


def _pieces(price: PriceModel, currency: str) -> Iterator[Piece]:
    match price:
        case PerUnit():
            yield Piece(0, WITHOUT_END, price.unit_price_pico(currency), 0)
        case Package():
            unit = parse_pico(price.price[currency]) * MICRO
            yield Piece(0, WITHOUT_END, unit, 0, per_micro=price.per * MICRO)
        case Graduated():
            yield from _graduated(price, currency)
        case Volume():
            yield from _volume(price, currency)
        case Percentage():
            yield from _percentage(price, currency)
        case Matrix():
            yield from _pieces(price.price_of(""), currency)


def _graduated(price: Graduated, currency: str) -> Iterator[Piece]:
    """A tier begins at what those below it cost together."""
    lower, below = 0, 0
    for tier in price.tiers:
        upper = WITHOUT_END if tier.up_to is None else tier.up_to
        unit, flat = tier.unit_price_pico(currency), below + tier.flat_pico(currency) * MICRO
        yield Piece(lower, upper, unit, flat, origin_micro=lower)
        lower, below = upper, flat + (upper - lower) * unit


def _volume(price: Volume, currency: str) -> Iterator[Piece]:
    lower = 0
    for tier in price.tiers:
        upper = WITHOUT_END if tier.up_to is None else tier.up_to
        yield Piece(lower, upper, tier.unit_price_pico(currency), tier.flat_pico(currency) * MICRO)
        lower = upper


def _percentage(price: Percentage, currency: str) -> Iterator[Piece]:
    """The minimum as long as the share is below it, and the maximum from where it is above."""
    rate, fixed = price.rate * (PICO // PPM), price.fixed_pico(currency) * MICRO
    least, most = max(fixed, price.minimum_pico(currency) * MICRO), price.maximum_pico(currency)
    if not rate:
        yield Piece(0, WITHOUT_END, 0, least if most is None else min(least, most * MICRO))
        return
    flat_to = min((least - fixed) // rate, WITHOUT_END)
    rises_to = WITHOUT_END if most is None else min((most * MICRO - fixed) // rate, WITHOUT_END)
    yield Piece(0, flat_to, 0, least)
    yield Piece(flat_to, rises_to, rate, fixed)
    yield Piece(rises_to, WITHOUT_END, 0, 0 if most is None else most * MICRO)
