"""The price list: meters, plans and what must hold between them.

Owns the shape and the rules a price list must obey by itself. It does not read files (see
`pipelines.catalog.catalog_file`) and computes no charge; what a plan says of a meter is in
`rate_card`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from schemas.late_usage import LateUsagePolicy
from schemas.meter import Meter, Name
from schemas.money import parse_minor
from schemas.offers import AddOn, Coupon, CouponName, broken_commitment, broken_offers, unpayable
from schemas.plan_reach import Reach, broken_reach
from schemas.price_terms import Closed, Currency, Price, Problem, tell
from schemas.prices import Matrix, missing_currencies
from schemas.quota import WINDOW_KINDS, WindowKind
from schemas.rate_card import RateCard, UnitCost
from schemas.subscription import Interval
from schemas.tax import TaxRule, broken_taxes


class Plan(Reach):
    """A named offer: a monthly base fee per currency, rate cards by meter, features."""

    base_fee: dict[Currency, Price]
    meters: dict[Name, RateCard]
    features: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _fees_are_amounts(self) -> Self:
        tell([(("base_fee", currency), text) for currency, text in unpayable(self.base_fee)])
        return self

    def quotas(self) -> Iterator[tuple[str, WindowKind]]:
        """Meters and kinds of windows that have a limit beside the pool."""
        return ((meter, kind) for meter, card in self.meters.items() for kind in card.quotas)

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
    """A whole price list. Meters keep their order: an event's values refer to it by index.

    `anniversary_billing` allows billing periods that begin on another day than the first; counters
    then keep a row a day, from which such a period can be made at any time.
    """

    name: Name
    currencies: Annotated[tuple[Currency, ...], Field(min_length=1)]
    default_plan: Name
    anniversary_billing: bool = False
    meters: Annotated[dict[Name, Meter], BeforeValidator(_named), Field(min_length=1)]
    plans: Annotated[dict[Name, Plan], Field(min_length=1)]
    costs: dict[Name, UnitCost] = Field(default_factory=dict)
    coupons: dict[CouponName, Coupon] = Field(default_factory=dict)
    add_ons: dict[Name, AddOn] = Field(default_factory=dict)
    taxes: tuple[TaxRule, ...] = ()
    # Left out of the canonical form while it is the default, so that hashes of price lists stay.
    late_usage: Annotated[
        LateUsagePolicy, Field(exclude_if=lambda policy: policy == LateUsagePolicy())
    ] = LateUsagePolicy()

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        tell(list(_broken_references(self)))
        return self

    @cached_property
    def meter_list(self) -> tuple[Meter, ...]:
        """The meters in the price list's order."""
        return tuple(self.meters.values())

    @cached_property
    def priced_meters(self) -> tuple[str, ...]:
        """Meters that at least one plan has a pool for, in order: they make invoice lines.

        One that every plan leaves unlimited is only counted.
        """
        plans = self.plans.values()
        pooled = {
            m for plan in plans for m, card in plan.meters.items() if card.included is not None
        }
        return tuple(name for name in self.meters if name in pooled)

    def uncounted(self, plan: Plan) -> list[str]:
        """The meters by which another price list's plan bills, and which this one does not have."""
        billed = (meter for meter, card in plan.meters.items() if card.included is not None)
        return [meter for meter in billed if meter not in self.meters]

    def sells(self, plan: str, interval: Interval, currency: str) -> bool:
        """Can a plan be paid for by the interval, in the currency?"""
        offered = self.plans.get(plan)
        is_by_interval = offered and (interval == "month" or offered.base_fee_yearly)
        return bool(is_by_interval) and currency in self.currencies

    @cached_property
    def _windows(self) -> dict[str, tuple[WindowKind, ...]]:
        named = {(meter, kind) for plan in self.plans.values() for meter, kind in plan.quotas()}
        return {
            meter: tuple(
                kind
                for kind in WINDOW_KINDS
                if kind == "billing_period"
                or (meter, kind) in named
                or (kind == "day" and self.anniversary_billing)
            )
            for meter in self.meters
        }

    def windows_of(self, meter: str) -> tuple[WindowKind, ...]:
        """The kinds of windows in which a meter is counted, for every tenant alike.

        The billing period always, others where any plan names them: what is counted depends on the
        price list and on events, never on the order in which plans change.
        """
        return self._windows[meter] if self.meters[meter].is_streamed else ()


def _broken_references(catalog: Catalog) -> Iterator[Problem]:
    plans, meters = ", ".join(catalog.plans), ", ".join(catalog.meters)
    if catalog.default_plan not in catalog.plans:
        yield ("default_plan",), f"{catalog.default_plan!r} is not a plan; there are {plans}"
    for key, meter in catalog.meters.items():
        if key != meter.name:
            yield ("meters", key, "name"), f"{meter.name!r} differs from its key; leave `name` out"
    yield from broken_reach(catalog.plans, catalog.default_plan)
    for name, plan in catalog.plans.items():
        for path, reason in _broken_plan(plan, catalog):
            yield ("plans", name, *path), reason
    for meter_name in catalog.costs.keys() - catalog.meters.keys():
        yield ("costs", meter_name), f"{meter_name!r} is not a meter; there are {meters}"
    offers = (catalog.coupons, catalog.add_ons)
    yield from broken_offers(*offers, catalog.currencies, catalog.priced_meters)
    yield from broken_taxes(catalog.taxes)


def _broken_plan(plan: Plan, catalog: Catalog) -> Iterator[Problem]:
    for currency in catalog.currencies:
        if currency not in plan.base_fee:
            yield ("base_fee",), f"there is none in {currency}; add it, 0 if it is free"
    priced = catalog.priced_meters
    yield from broken_commitment(plan, plan.base_fee, catalog.currencies, priced)
    for meter, card in plan.meters.items():
        if meter not in catalog.meters:
            meters = ", ".join(catalog.meters)
            yield ("meters", meter), f"{meter!r} is not a meter; there are {meters}"
        else:
            yield from _broken_card(card, meter, catalog.meters[meter])
        if card.overage:
            for path, text in missing_currencies(card.overage, catalog.currencies):
                yield ("meters", meter, "overage", *path), text


def _broken_card(card: RateCard, name: str, meter: Meter) -> Iterator[Problem]:
    if not meter.is_streamed:
        text = f"counters do not follow {meter.aggregation} meters; leave it out"
        for field in ("hard_limit", "soft_limit", "quotas"):
            if getattr(card, field):
                yield ("meters", name, field), text
    if isinstance(card.overage, Matrix) and card.overage.by != meter.priced_by:
        told = f"{card.overage.by!r} is not what {name} is priced by; set its `priced_by`"
        yield ("meters", name, "overage", "by"), told
