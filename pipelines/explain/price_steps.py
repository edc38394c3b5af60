"""How the price of a quantity comes about, step by step: the words beside `pipelines.rating.costs`.

Each step has its exact amount; they add up to what `costs.cost` says, which a test holds them to.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipelines.rating.costs import ATTO, cost
from schemas.money import format_pico, parse_pico
from schemas.prices import PPM, Graduated, Package, Percentage, PerUnit, PriceModel, Volume
from schemas.quantity import MICRO, format_micro

_SHOWN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """A part of an amount in words, and its amount in 1e-18 of a major unit."""

    words: str
    amount_atto: int


def steps(price: PriceModel, before_micro: int, after_micro: int, currency: str) -> list[Step]:
    """What going on from one quantity to another costs; going back is the same with less."""
    if after_micro < before_micro:
        back = steps(price, after_micro, before_micro, currency)
        return [replace(step, amount_atto=-step.amount_atto) for step in back]
    return list(_STEPS[type(price)](price, before_micro, after_micro, currency))


def quantity(micro: int) -> str:
    """1e-6 units with thousands apart: 195483870968 → "195,483.870968"."""
    whole, point, part = format_micro(abs(micro)).partition(".")
    return f"{'−' if micro < 0 else ''}{int(whole):,}{point}{part}"


def quotient(numerator: int, denominator: int) -> str:
    """A quotient to six decimals, cut; an ellipsis says that there are more."""
    sign = "−" if numerator < 0 else ""
    shown, rest = divmod(abs(numerator) * 10**_SHOWN_DIGITS, denominator)
    whole, part = divmod(shown, 10**_SHOWN_DIGITS)
    digits = f"{part:0{_SHOWN_DIGITS}d}" if rest else f"{part:0{_SHOWN_DIGITS}d}".rstrip("0")
    return f"{sign}{whole:,}{'.' if digits else ''}{digits}{'…' if rest else ''}"


def exact(amount_atto: int) -> str:
    """An amount before it is rounded."""
    return quotient(amount_atto, ATTO)


def _per_unit(price: PerUnit, before: int, after: int, currency: str) -> Iterator[Step]:
    unit_pico = price.unit_price_pico(currency)
    yield Step(_times(after - before, unit_pico), (after - before) * unit_pico)


def _package(price: Package, before: int, after: int, currency: str) -> Iterator[Step]:
    size = price.per * MICRO
    begun, paid = -(-after // size), -(-before // size)
    of = f"packages of {price.per:,} are begun"
    told = f"{begun:,} {of}" + (f", {paid:,} of them before" if before else "")
    price_pico = parse_pico(price.price[currency])
    new = begun - paid
    yield Step(f"{told}: {new:,} × {format_pico(price_pico)}", new * price_pico * MICRO)


def _graduated(price: Graduated, before: int, after: int, currency: str) -> Iterator[Step]:
    lower = 0
    for tier in price.tiers:
        upper = after if tier.up_to is None else tier.up_to
        start, end = max(before, lower), min(after, upper)
        if start < end:
            where = f"from {quantity(lower)} to {quantity(upper)}"
            if tier.up_to is None:
                where = f"beyond {quantity(lower)}" if lower else "all"
            unit_pico, flat_pico = tier.unit_price_pico(currency), tier.flat_pico(currency)
            yield Step(f"{where}: {_times(end - start, unit_pico)}", (end - start) * unit_pico)
            if flat_pico and before <= lower:
                yield Step(f"{where}: {format_pico(flat_pico)} once", flat_pico * MICRO)
        lower = upper


def _volume(price: Volume, before: int, after: int, currency: str) -> Iterator[Step]:
    yield from _whole_volume(price, after, currency, "")
    for step in _whole_volume(price, before, currency, "less what came before, "):
        yield replace(step, amount_atto=-step.amount_atto)


def _whole_volume(price: Volume, whole: int, currency: str, prefix: str) -> Iterator[Step]:
    if not whole:
        return
    tier = next(t for t in price.tiers if t.up_to is None or whole <= t.up_to)
    bound = "of the last tier" if tier.up_to is None else f"up to {quantity(tier.up_to)}"
    where = f"{prefix}all at the price {bound}"
    unit_pico, flat_pico = tier.unit_price_pico(currency), tier.flat_pico(currency)
    yield Step(f"{where}: {_times(whole, unit_pico)}", whole * unit_pico)
    if flat_pico:
        yield Step(f"{where}: {format_pico(flat_pico)} once", flat_pico * MICRO)


def _percentage(price: Percentage, before: int, after: int, currency: str) -> Iterator[Step]:
    yield from _whole_percentage(price, after, currency, "")
    for step in _whole_percentage(price, before, currency, "less what came before, "):
        yield replace(step, amount_atto=-step.amount_atto)


def _whole_percentage(price: Percentage, whole: int, currency: str, prefix: str) -> Iterator[Step]:
    if not whole:
        return
    share = whole * price.rate * (ATTO // MICRO // PPM)
    fixed = price.fixed_pico(currency) * MICRO
    yield Step(f"{prefix}{format_micro(price.rate * 100)}% × {quantity(whole)}", share)
    if fixed:
        yield Step(f"{prefix}{price.fixed[currency]} once", fixed)
    rest = cost(price, whole, currency) - share - fixed
    if rest > 0:
        yield Step(f"{prefix}up to the minimum of {price.minimum[currency]}", rest)
    if rest < 0:
        yield Step(f"{prefix}beyond the maximum of {price.maximum[currency]}", rest)


def _times(micro: int, unit_pico: int) -> str:
    return f"{quantity(micro)} × {format_pico(unit_pico)}"


_STEPS: dict[type, Callable[[Any, int, int, str], Iterator[Step]]] = {
    PerUnit: _per_unit,
    Package: _package,
    Graduated: _graduated,
    Volume: _volume,
    Percentage: _percentage,
}
