"""The price list: meters, plans, what each plan includes, what more costs, where it stops.

Owns the shape and the rules a price list must obey by itself. It does not read files (see
`pipelines.catalog_file`) and computes no charge.
"""

from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.meter import Meter, Name
from schemas.money import MINOR_DIGITS, parse_minor, parse_pico
from schemas.quantity import to_micro

DEFAULT_THRESHOLDS = (80, 100, 120)


def _currency(text: str) -> str:
    if text not in MINOR_DIGITS:
        raise ValueError(
            f"currency {text!r} is not supported; use one of {', '.join(MINOR_DIGITS)}"
        )
    return text


Currency = Annotated[str, BeforeValidator(_currency)]
Quantity = Annotated[int, BeforeValidator(to_micro)]
"""A quantity in 1e-6 units, written in units."""
Percent = Annotated[int, Field(ge=1, le=10_000)]


class Closed(BaseModel):
    """Base of the price list's models: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OveragePrice(Closed):
    """What usage beyond the pool costs: an amount of a currency for every `per` units."""

    per: Annotated[int, Field(ge=1, le=10**9)] = 1
    price: dict[Currency, str]

    @model_validator(mode="after")
    def _whole_pico(self) -> Self:
        for currency, text in self.price.items():
            if parse_pico(text) < 0:
                raise ValueError(f"{currency} {text} is negative")
            if parse_pico(text) % self.per:
                raise ValueError(f"{currency} {text} per {self.per} is finer than 1e-12 a unit")
        return self

    def unit_price_pico(self, currency: str) -> int:
        """Price of one unit in 1e-12 of a major unit: 8 USD per 1,000,000 → 8_000_000."""
        return parse_pico(self.price[currency]) // self.per


class RateCard(Closed):
    """One meter in one plan: included quantity, overage price, hard cap, alert thresholds.

    `included` None is unlimited; `overage` None means that more is not billed; `hard_limit` is in
    per cent of the pool, None means that nothing stops.
    """

    included: Quantity | None
    overage: OveragePrice | None = None
    hard_limit: Percent | None = None
    thresholds: tuple[Percent, ...] = DEFAULT_THRESHOLDS

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.included is not None and self.included < 0:
            raise ValueError("included is negative")
        if self.hard_limit is not None and self.hard_limit < 100:
            raise ValueError("hard_limit is below what is included; write 100 or more")
        if self.included is None and (self.overage or self.hard_limit):
            raise ValueError("an unlimited meter has neither overage nor hard_limit")
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("thresholds must rise")
        return self


class Plan(Closed):
    """A named offer: a monthly base fee per currency, rate cards by meter, features."""

    base_fee: dict[Currency, str]
    meters: dict[Name, RateCard]
    features: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _fees_are_amounts(self) -> Self:
        for currency, text in self.base_fee.items():
            if parse_minor(text, currency) < 0:
                raise ValueError(f"base_fee {currency} {text} is negative")
        return self

    def base_fee_minor(self, currency: str) -> int:
        """The monthly fee in minor units."""
        return parse_minor(self.base_fee[currency], currency)


class UnitCost(Closed):
    """What a unit costs us: an amount of USD for every `per` units, by model or in general."""

    per: Annotated[int, Field(ge=1, le=10**9)] = 1
    price: dict[Currency, str]


class Catalog(Closed):
    """A whole price list. Meters keep their order: an event's values refer to it by index."""

    name: Name
    currencies: Annotated[tuple[Currency, ...], Field(min_length=1)]
    default_plan: Name
    meters: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    plans: Annotated[dict[Name, Plan], Field(min_length=1)]
    costs: dict[Name, UnitCost] = {}

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        known = {meter.name for meter in self.meter_list}
        if self.default_plan not in self.plans:
            raise ValueError(f"default_plan {self.default_plan!r} is not among the plans")
        for name, plan in self.plans.items():
            _check_plan(name, plan, known, self.currencies)
        for meter in self.costs:
            if meter not in known:
                raise ValueError(f"costs name the unknown meter {meter!r}")
        return self

    @cached_property
    def meter_list(self) -> tuple[Meter, ...]:
        """The meters in the price list's order."""
        return tuple(Meter(name=name, **body) for name, body in self.meters.items())

    @cached_property
    def priced_meters(self) -> tuple[str, ...]:
        """Meters that at least one plan has a rate card for, in order: they make invoice lines."""
        priced = {meter for plan in self.plans.values() for meter in plan.meters}
        return tuple(meter.name for meter in self.meter_list if meter.name in priced)


def _check_plan(name: str, plan: Plan, meters: set[str], currencies: tuple[str, ...]) -> None:
    for meter, card in plan.meters.items():
        if meter not in meters:
            raise ValueError(f"plan {name!r} prices the unknown meter {meter!r}")
        prices = card.overage.price if card.overage else None
        for currency in currencies:
            if prices is not None and currency not in prices:
                raise ValueError(f"plan {name!r}, meter {meter!r}: no overage price in {currency}")
    for currency in currencies:
        if currency not in plan.base_fee:
            raise ValueError(f"plan {name!r} has no base_fee in {currency}")
