"""What a price list offers beside fees and usage: discounts, coupons, add-ons, least and most.

Owns their shape, and what must hold between them and the rest of a price list. What they cost an
invoice is computed in `pipelines.adjustments`.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from schemas.meter import Name
from schemas.money import MOST_MINOR, format_minor, parse_minor
from schemas.plan_policies import USUAL, Policies, broken_policies
from schemas.price_terms import Amounts, Closed, Problem, tell
from schemas.prices import PPM, Rate

Product = Literal["fees", "usage", "add_ons", "items"]
PRODUCTS: tuple[Product, ...] = ("fees", "usage", "add_ons", "items")
"""What a line is a line of, in the order in which they stand on an invoice."""

_COUPON = re.compile(r"[A-Z][A-Z0-9_-]{0,39}")
_MONTHS = re.compile(r"([1-9]\d{0,2}) months?")


def unpayable(amounts: Amounts) -> Iterator[tuple[str, str]]:
    """Amounts by currency that nobody can pay, such as 0.001 USD, and why."""
    for currency, text in amounts.items():
        try:
            if parse_minor(text, currency) > MOST_MINOR:
                yield currency, f"{text} is more than can be billed"
        except ValueError as problem:
            yield currency, f"{problem}, the smallest amount of {currency}"


def _payable(amounts: Amounts) -> Amounts:
    tell([((currency,), text) for currency, text in unpayable(amounts)])
    return amounts


Payable = Annotated[Amounts, AfterValidator(_payable)]
"""Amounts in whole minor units."""


def _share(ppm: int) -> int:
    if not 0 < ppm <= PPM:
        raise ValueError("a discount takes more than 0% and at most 100%")
    return ppm


Share = Annotated[Rate, AfterValidator(_share)]
"""A share in millionths, more than nothing and at most the whole."""


def _coupon_name(text: str) -> str:
    if not _COUPON.fullmatch(text):
        raise ValueError(f"{text!r} is no coupon; use A-Z, 0-9, _ and -, a letter first")
    return text


CouponName = Annotated[str, AfterValidator(_coupon_name)]


class Discount(Closed):
    """A share, or an amount, off the lines that `on` names: all, fees, usage or one meter's."""

    percent: Share | None = None
    amount: Payable = Field(default_factory=dict)
    on: Name = "all"

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.percent is None) == (not self.amount):
            tell([((), "a discount has a `percent`, such as 20%, or an `amount`")])
        return self

    def amount_minor(self, currency: str) -> int:
        """The amount in minor units; 0 where the discount is a share, or none in the currency."""
        return parse_minor(self.amount.get(currency, "0"), currency)


def _periods(value: object) -> object:
    """Read how long a coupon lasts: once is 1, "3 months" is 3, forever is None."""
    if value in (None, "forever"):
        return None
    if value == "once":
        return 1
    found = _MONTHS.fullmatch(str(value))
    if found is None:
        raise ValueError(f"{value!r} is no duration; write once, forever, or 3 months")
    return int(found[1])


def _duration(periods: int | None) -> str:
    return "forever" if periods is None else f"{periods} months"


class Coupon(Discount):
    """A discount that a tenant redeems. `lasts` counts billing periods, None is without end.

    The first is the one in which it is redeemed, and it is given whole.
    """

    lasts: Annotated[
        int | None, BeforeValidator(_periods), PlainSerializer(_duration, return_type=str)
    ]


class AddOn(Closed):
    """Something that is booked beside a plan, at a fee for each month or each year."""

    fee: Annotated[Payable, Field(min_length=1)]
    interval: Literal["month", "year"] = "month"

    def fee_minor(self, currency: str) -> int:
        """The fee in minor units."""
        return parse_minor(self.fee[currency], currency)


class Commitment(Closed):
    """What a plan adds to its fee and usage: the least and the most of a month, a discount, a
    yearly fee, policies.

    `minimum` is of fee and usage together, what is missing is charged; `maximum` is of usage alone,
    what is beyond is not charged. A plan without `base_fee_yearly` is not sold by the year.
    """

    minimum: Payable = Field(default_factory=dict)
    maximum: Payable = Field(default_factory=dict)
    discount: Discount | None = None
    base_fee_yearly: Payable = Field(default_factory=dict)
    policies: Policies = USUAL

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A price list that says nothing of years and policies keeps its bytes, and its hash."""
        said: dict[str, Any] = write(self)
        unsaid = {name for name in ("base_fee_yearly", "policies") if not self._says(name)}
        return {name: value for name, value in said.items() if name not in unsaid}

    def _says(self, name: str) -> bool:
        return bool(self.base_fee_yearly) if name == "base_fee_yearly" else self.policies != USUAL

    @property
    def discounts_fees(self) -> bool:
        """Does the plan's own discount take from its fee?"""
        return self.discount is not None and self.discount.on in ("all", "fees")

    def yearly_fee_minor(self, currency: str) -> int:
        """The fee of a year in minor units, where the plan is sold by the year."""
        return parse_minor(self.base_fee_yearly[currency], currency)

    def minimum_minor(self, currency: str) -> int | None:
        """The least that a month costs, None where there is no such thing."""
        return parse_minor(self.minimum[currency], currency) if self.minimum else None

    def maximum_minor(self, currency: str) -> int | None:
        """The most that a month's usage costs, None where nothing caps it."""
        return parse_minor(self.maximum[currency], currency) if self.maximum else None


def broken_commitment(
    plan: Commitment, base_fee: Amounts, currencies: Iterable[str], meters: Container[str]
) -> Iterator[Problem]:
    """What a plan's commitment contradicts, with its place in the plan."""
    for name in ("minimum", "maximum", "base_fee_yearly"):
        if amounts := getattr(plan, name):
            yield from _missing(amounts, (name,), currencies)
    yield from broken_policies(
        plan.policies,
        has_minimum=bool(plan.minimum),
        has_yearly=bool(plan.base_fee_yearly),
        discounts_fees=plan.discounts_fees,
    )
    for currency in plan.minimum.keys() & plan.maximum.keys() & base_fee.keys():
        least = parse_minor(plan.minimum[currency], currency)
        most = sum(parse_minor(it[currency], currency) for it in (plan.maximum, base_fee))
        if most < least:
            told, wanted = format_minor(most, currency), format_minor(least, currency)
            text = f"with the base fee it comes to {told}, below the minimum of {wanted}; raise it"
            yield ("maximum", currency), text
    if plan.discount:
        yield from _broken_discount(plan.discount, ("discount",), currencies, meters)


def broken_offers(
    coupons: Mapping[str, Coupon],
    add_ons: Mapping[str, AddOn],
    currencies: Iterable[str],
    meters: Container[str],
) -> Iterator[Problem]:
    """What coupons and add-ons contradict, with its place in the price list."""
    for name, coupon in coupons.items():
        yield from _broken_discount(coupon, ("coupons", name), currencies, meters)
    for name, add_on in add_ons.items():
        yield from _missing(add_on.fee, ("add_ons", name, "fee"), currencies)


def _broken_discount(
    discount: Discount, path: tuple[str | int, ...], currencies: Iterable[str], meters: Any
) -> Iterator[Problem]:
    if discount.amount:
        yield from _missing(discount.amount, (*path, "amount"), currencies)
    if discount.on not in ("all", "fees", "usage") and discount.on not in meters:
        known = ", ".join(meters)
        yield (*path, "on"), f"{discount.on!r} is not a meter; write all, fees, usage, or {known}"


def _missing(
    amounts: Amounts, path: tuple[str | int, ...], currencies: Iterable[str]
) -> Iterator[Problem]:
    return ((path, f"there is none in {it}; add it") for it in currencies if it not in amounts)
