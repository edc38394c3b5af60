"""The price list: meters, plans, what each plan includes, what more costs, where it stops.

Owns the shape and the rules a price list must obey by itself. It does not read files (see
`pipelines.catalog_file`) and computes no charge.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.meter import Meter, Name
from schemas.money import format_pico, minor_digits, parse_minor, parse_pico
from schemas.quantity import format_micro, to_micro

DEFAULT_THRESHOLDS = (80, 100, 120)
UNLIMITED = "unlimited"
MAX_PICO = 2**63 - 1
"""Largest unit price, in 1e-12: about nine million a unit; lines keep it in 64 bits."""

PROBLEMS = "price_list_problems"
"""The type of a pydantic error whose context lists problems with their places."""

Problem = tuple[tuple[str, ...], str]
"""Where in a model something is wrong, and what: several can be told at once."""


def _tell(problems: list[Problem]) -> None:
    """Raise all problems as one pydantic error, whose context holds their places."""
    if problems:
        text = "; ".join(f"{'.'.join(path)}: {reason}" for path, reason in problems)
        raise PydanticCustomError(PROBLEMS, "{text}", {"text": text, "problems": problems})


def _currency(text: str) -> str:
    minor_digits(text)
    return text


def _price(text: str) -> str:
    """A price in one form, so that 8 and 8.00 are the same price list."""
    price_pico = parse_pico(text)
    if price_pico < 0:
        raise ValueError(f"{text} is negative; write 0 or more")
    return format_pico(price_pico)


def _percent(value: object) -> object:
    return value.removesuffix("%").rstrip() if isinstance(value, str) else value


def _unlimited(value: object) -> object:
    return None if value == UNLIMITED else value


def _included(value: object) -> int:
    micro = to_micro(value)
    if micro < 0:
        raise ValueError(f"{value} is negative; write 0 or more, or {UNLIMITED}")
    return micro


Currency = Annotated[str, AfterValidator(_currency)]
Price = Annotated[str, AfterValidator(_price)]
"""An amount of a major unit as decimal text, at most twelve decimals."""
Quantity = Annotated[
    int, BeforeValidator(_included), PlainSerializer(format_micro, return_type=str)
]
"""A quantity in 1e-6 units, written in units."""
Percent = Annotated[int, BeforeValidator(_percent), Field(ge=1, le=10_000)]


class Closed(BaseModel):
    """Base of the price list's models: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PerUnits(Closed):
    """An amount of each currency for every `per` units."""

    per: Annotated[int, Field(ge=1, le=10**9)] = 1
    price: Annotated[dict[Currency, Price], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_a_line(self) -> Self:
        _tell([(("price", c), text) for c in self.price for text in self._faults(c)])
        return self

    def _faults(self, currency: str) -> Iterator[str]:
        price_pico = parse_pico(self.price[currency])
        if price_pico % self.per:
            yield f"{self.price[currency]} for every {self.per} is finer than 1e-12 a unit"
        if price_pico // self.per > MAX_PICO:
            yield f"{self.price[currency]} for every {self.per} is too much for one unit"

    def unit_price_pico(self, currency: str) -> int:
        """Price of one unit in 1e-12 of a major unit: 8 USD per 1,000,000 → 8_000_000."""
        return parse_pico(self.price[currency]) // self.per


class OveragePrice(PerUnits):
    """What usage beyond the pool costs."""


class UnitCost(PerUnits):
    """What usage costs us; it makes no invoice line."""


class RateCard(Closed):
    """One meter in one plan: included quantity, overage price, hard cap, alert thresholds.

    `included` None is unlimited; `overage` None means that more is not billed; `hard_limit` is in
    per cent of the pool, None means that nothing stops.
    """

    included: Annotated[Quantity | None, BeforeValidator(_unlimited)]
    overage: OveragePrice | None = None
    hard_limit: Annotated[Percent | None, BeforeValidator(_unlimited)] = None
    thresholds: tuple[Percent, ...] = DEFAULT_THRESHOLDS

    @field_validator("hard_limit")
    @classmethod
    def _limit_is_beyond_the_pool(cls, percent: int | None) -> int | None:
        if percent is not None and percent < 100:
            raise ValueError(f"{percent} stops below what is included; write 100 or more")
        return percent

    @field_validator("thresholds")
    @classmethod
    def _thresholds_rise(cls, percents: tuple[int, ...]) -> tuple[int, ...]:
        if list(percents) != sorted(set(percents)):
            raise ValueError("thresholds must rise, such as [80, 100, 120]")
        return percents

    @model_validator(mode="after")
    def _unlimited_has_no_end(self) -> Self:
        if self.included is None:
            ends = (("overage", self.overage), ("hard_limit", self.hard_limit))
            text = "an unlimited meter has none; leave it out, or say how much is included"
            _tell([((name,), text) for name, value in ends if value is not None])
        return self


class Plan(Closed):
    """A named offer: a monthly base fee per currency, rate cards by meter, features."""

    base_fee: dict[Currency, Price]
    meters: dict[Name, RateCard]
    features: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _fees_are_amounts(self) -> Self:
        _tell([(("base_fee", currency), text) for currency, text in self._unpayable()])
        return self

    def _unpayable(self) -> Iterator[tuple[str, str]]:
        for currency, text in self.base_fee.items():
            try:
                parse_minor(text, currency)
            except ValueError as problem:
                yield currency, f"{problem}, the smallest amount of {currency}"

    def base_fee_minor(self, currency: str) -> int:
        """The monthly fee in minor units."""
        return parse_minor(self.base_fee[currency], currency)


def _named(bodies: object) -> object:
    """Give each meter the name that it is listed by."""
    if not isinstance(bodies, dict):
        return bodies
    return {key: _with_name(key, body) for key, body in bodies.items()}


def _with_name(name: object, body: object) -> object:
    return {"name": name} | body if isinstance(body, dict) else body


class Catalog(Closed):
    """A whole price list. Meters keep their order: an event's values refer to it by index."""

    name: Name
    currencies: Annotated[tuple[Currency, ...], Field(min_length=1)]
    default_plan: Name
    meters: Annotated[dict[Name, Meter], BeforeValidator(_named), Field(min_length=1)]
    plans: Annotated[dict[Name, Plan], Field(min_length=1)]
    costs: dict[Name, UnitCost] = {}

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        _tell(list(_broken_references(self)))
        return self

    @cached_property
    def meter_list(self) -> tuple[Meter, ...]:
        """The meters in the price list's order."""
        return tuple(self.meters.values())

    @cached_property
    def priced_meters(self) -> tuple[str, ...]:
        """Meters that at least one plan has a rate card for, in order: they make invoice lines."""
        priced = {meter for plan in self.plans.values() for meter in plan.meters}
        return tuple(name for name in self.meters if name in priced)


def _broken_references(catalog: Catalog) -> Iterator[Problem]:
    plans, meters = ", ".join(catalog.plans), ", ".join(catalog.meters)
    if catalog.default_plan not in catalog.plans:
        yield ("default_plan",), f"{catalog.default_plan!r} is not a plan; there are {plans}"
    for key, meter in catalog.meters.items():
        if key != meter.name:
            yield ("meters", key, "name"), f"{meter.name!r} differs from its key; leave `name` out"
    for name, plan in catalog.plans.items():
        for path, reason in _broken_plan(plan, catalog):
            yield ("plans", name, *path), reason
    for meter_name in catalog.costs.keys() - catalog.meters.keys():
        yield ("costs", meter_name), f"{meter_name!r} is not a meter; there are {meters}"


def _broken_plan(plan: Plan, catalog: Catalog) -> Iterator[Problem]:
    for currency in catalog.currencies:
        if currency not in plan.base_fee:
            yield ("base_fee",), f"there is none in {currency}; add it, 0 if it is free"
    for meter, card in plan.meters.items():
        if meter not in catalog.meters:
            meters = ", ".join(catalog.meters)
            yield ("meters", meter), f"{meter!r} is not a meter; there are {meters}"
        for currency in catalog.currencies:
            if card.overage and currency not in card.overage.price:
                yield ("meters", meter, "overage", "price"), f"there is none in {currency}; add it"
