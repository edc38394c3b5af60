"""How a quantity becomes money: the price models of a rate card.

Owns their shape and the rules each must obey by itself. What a quantity costs is computed in
`pipelines.rating.costs`.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, model_validator

from schemas.decimals import scaled
from schemas.labels import Label
from schemas.meter import Name
from schemas.money import parse_pico
from schemas.price_terms import Amounts, Closed, PerUnits, Problem, Quantity, tell, unlimited
from schemas.quantity import format_micro

PPM = 10**6
"""A rate is kept in millionths: 2.9 % is 29,000."""

DEFAULT = "default"
"""The row of a matrix that holds for all values without one of their own."""

TAG = "model:"
"""Begins the part of an error's place that names the model, and is in no file."""


def _rate(value: object) -> object:
    """Read 2.9% as 29,000 millionths."""
    if isinstance(value, str):
        return scaled(value.removesuffix("%").strip(), 4)
    return value


def _percent_text(ppm: int) -> str:
    return f"{format_micro(ppm * 100)}%"


Rate = Annotated[
    int,
    BeforeValidator(_rate),
    PlainSerializer(_percent_text, return_type=str),
    Field(ge=0, le=100 * PPM),
]
"""A share in millionths, written as a percentage with at most four decimals."""


class PerUnit(PerUnits):
    """Each unit costs the same."""

    model: Literal["per_unit"] = "per_unit"


class Package(Closed):
    """Every package of `per` units that is begun costs its price."""

    model: Literal["package"]
    per: Annotated[int, Field(ge=1, le=10**9)]
    price: Annotated[Amounts, Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_a_line(self) -> Self:
        PerUnits.check(1, self.price)
        return self


class Tier(Closed):
    """Units above the tier before and up to `up_to`, which belongs to it; None is all others.

    `flat` is paid once, when the tier is reached.
    """

    up_to: Annotated[Quantity | None, BeforeValidator(unlimited)] = None
    per: Annotated[int, Field(ge=1, le=10**9)] = 1
    price: Amounts = Field(default_factory=dict)
    flat: Amounts = Field(default_factory=dict)

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if not self.price and not self.flat:
            tell([((), "a tier has a `price`, a `flat` amount or both; write 0 if it is free")])
        PerUnits.check(self.per, self.price)
        PerUnits.check(1, self.flat, "flat")
        return self

    def unit_price_pico(self, currency: str) -> int:
        """Price of one unit in 1e-12 of a major unit; 0 where only `flat` is paid."""
        return parse_pico(self.price.get(currency, "0")) // self.per

    def flat_pico(self, currency: str) -> int:
        """The flat amount in 1e-12 of a major unit."""
        return parse_pico(self.flat.get(currency, "0"))


class _Tiered(Closed):
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _tiers_cover_all_once(self) -> Self:
        tell([(("tiers", n), text) for n, text in _broken_tiers(self.tiers)])
        return self


def _broken_tiers(tiers: tuple[Tier, ...]) -> Iterator[tuple[int, str]]:
    """Gaps and overlaps, by the tier's place."""
    for n, (lower, upper) in enumerate(pairwise(tiers)):
        if lower.up_to is None:
            yield n, "only the last tier may be without end; say up to where this one goes"
        elif upper.up_to is not None and upper.up_to <= lower.up_to:
            last = format_micro(lower.up_to)
            yield n + 1, f"it overlaps the tier before, which goes up to {last}; write more"
    if tiers[-1].up_to is not None:
        last = format_micro(tiers[-1].up_to)
        yield len(tiers) - 1, f"what is above {last} has no price; leave `up_to` out here"


class Graduated(_Tiered):
    """Each unit costs what the tier it falls into says."""

    model: Literal["graduated"]


class Volume(_Tiered):
    """All units cost what the tier of their number says."""

    model: Literal["volume"]


class Percentage(Closed):
    """A share of the quantity, which is an amount of money in major units of the currency.

    Where there is any usage, `fixed` is added to the share once; both together are at least
    `minimum` and at most `maximum`.
    """

    model: Literal["percentage"]
    rate: Rate
    # Left out of the canonical form while there is none, so that hashes of price lists stay.
    fixed: Annotated[Amounts, Field(exclude_if=lambda amounts: not amounts)] = Field(
        default_factory=dict
    )
    minimum: Amounts = Field(default_factory=dict)
    maximum: Amounts = Field(default_factory=dict)

    @model_validator(mode="after")
    def _bounds_hold(self) -> Self:
        for name in ("fixed", "minimum", "maximum"):
            PerUnits.check(1, getattr(self, name), name)
        tell(list(self._crossed()))
        return self

    def _crossed(self) -> Iterator[Problem]:
        for currency, most in self.maximum.items():
            for name, words in (("minimum", "the minimum"), ("fixed", "the fixed part")):
                if parse_pico(most) < self._pico(name, currency):
                    amount = getattr(self, name)[currency]
                    yield ("maximum", currency), f"it is below {words} of {amount}; raise it"
        for currency in self.minimum.keys() & self.fixed.keys():
            if self.minimum_pico(currency) <= self.fixed_pico(currency):
                amount = self.fixed[currency]
                text = f"the fixed part of {amount} reaches it alone; raise it, or leave it out"
                yield ("minimum", currency), text

    def _pico(self, name: str, currency: str) -> int:
        return parse_pico(getattr(self, name).get(currency, "0"))

    def fixed_pico(self, currency: str) -> int:
        """What is paid once where there is any usage, in 1e-12 of a major unit."""
        return self._pico("fixed", currency)

    def minimum_pico(self, currency: str) -> int:
        """The least, in 1e-12 of a major unit."""
        return self._pico("minimum", currency)

    def maximum_pico(self, currency: str) -> int | None:
        """The most, None where nothing caps it."""
        return self._pico("maximum", currency) if currency in self.maximum else None


class Matrix(Closed):
    """A price per unit for each value of the meter's pricing key `by`, such as each model's.

    What `default` costs is the price of every value that is not named, and of usage without one.
    """

    model: Literal["matrix"]
    by: Name
    prices: dict[Label, PerUnit]

    @model_validator(mode="after")
    def _every_value_has_a_price(self) -> Self:
        if DEFAULT not in self.prices:
            tell([(("prices",), f"all other values have no price; add `{DEFAULT}`")])
        return self

    def price_of(self, value: str) -> PerUnit:
        """The price of usage with this value, '' for none."""
        return self.prices.get(value, self.prices[DEFAULT])


def _model(value: Any) -> str:
    named = value.get("model", "per_unit") if isinstance(value, dict) else value.model
    return f"{TAG}{named}"


PriceModel = Annotated[
    Annotated[PerUnit, Tag(f"{TAG}per_unit")]
    | Annotated[Package, Tag(f"{TAG}package")]
    | Annotated[Graduated, Tag(f"{TAG}graduated")]
    | Annotated[Volume, Tag(f"{TAG}volume")]
    | Annotated[Percentage, Tag(f"{TAG}percentage")]
    | Annotated[Matrix, Tag(f"{TAG}matrix")],
    Discriminator(
        _model,
        custom_error_type="price_model",
        custom_error_message=(
            "the model is not known; use per_unit, package, graduated, volume, percentage or matrix"
        ),
    ),
]
"""What more costs. Without `model` it is a price per unit."""


def missing_currencies(price: PriceModel, currencies: Iterable[str]) -> Iterator[Problem]:
    """Where a price list's currency has no price."""
    for path, amounts in amounts_of(price):
        for currency in currencies:
            if currency not in amounts:
                yield path, f"there is none in {currency}; add it"


def amounts_of(price: PriceModel) -> Iterator[tuple[tuple[str | int, ...], Amounts]]:
    """Every table of amounts in a price, with its place; one that is left out is left out."""
    if isinstance(price, Graduated | Volume):
        for n, tier in enumerate(price.tiers):
            for name in ("price", "flat"):
                if amounts := getattr(tier, name):
                    yield ("tiers", n, name), amounts
    elif isinstance(price, Percentage):
        for name in ("fixed", "minimum", "maximum"):
            if amounts := getattr(price, name):
                yield (name,), amounts
    elif isinstance(price, Matrix):
        for value, each in price.prices.items():
            yield ("prices", value, "price"), each.price
    else:
        yield ("price",), price.price
