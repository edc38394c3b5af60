"""Taxes: who buys where, and the rule table that says which line is taxed at which rate.

The table is read from top to bottom. What a line's tax comes to is in `pipelines.adjustments`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.offers import Product
from schemas.price_terms import Closed, Problem, tell
from schemas.prices import PPM, Rate


def check_country(text: str) -> str:
    """The code of a country. Raises ValueError when it is none."""
    if not re.fullmatch("[A-Z]{2}", text):
        raise ValueError(f"{text!r} is no country; write its two letters, such as DE")
    return text


def check_region(text: str) -> str:
    """The code of a region. Raises ValueError when it is none."""
    if not re.fullmatch("[A-Z0-9]{1,3}", text):
        raise ValueError(f"{text!r} is no region; write what follows US- in US-CA: CA")
    return text


Country = Annotated[str, AfterValidator(check_country)]
"""ISO 3166-1, two letters."""
Region = Annotated[str, AfterValidator(check_region)]
"""What follows the country in ISO 3166-2: CA of US-CA."""


def _at_most_the_whole(ppm: int) -> int:
    if ppm > PPM:
        raise ValueError("a tax is at most 100%")
    return ppm


@dataclass(frozen=True, slots=True)
class Buyer:
    """Where a tenant is, and the tax id that makes it a business."""

    country: str | None = None
    region: str | None = None
    tax_id: str | None = None

    @property
    def is_known(self) -> bool:
        """Is anything known?"""
        return any((self.country, self.region, self.tax_id))


UNKNOWN = Buyer()
"""A buyer of whom nothing is known."""


class TaxRule(Closed):
    """A rate for buyers of a country (and region) on a kind of product.

    Without `country` it is for every buyer, also one of whom nothing is known. Of the rules with
    one `name` the first that fits a line is charged. `included`: prices hold the tax already.
    `reverse_charge`: a buyer with a tax id pays it to its own state, so the line's tax is 0.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    country: Country | None = None
    region: Region | None = None
    on: Literal["all"] | Product = "all"
    rate: Annotated[Rate, AfterValidator(_at_most_the_whole)]
    included: bool = False
    reverse_charge: bool = False

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.region and not self.country:
            tell([(("region",), "a region is of a country; add `country`")])
        if self.included and self.reverse_charge:
            text = "a price that holds the tax cannot leave it to the buyer; leave `included` out"
            tell([(("reverse_charge",), text)])
        return self

    def fits(self, buyer: Buyer, product: Product) -> bool:
        """Is this buyer's purchase taxed by it?"""
        return (
            self.country in (None, buyer.country)
            and self.region in (None, buyer.region)
            and self.on in ("all", product)
        )

    def covers(self, other: "TaxRule") -> bool:
        """Does it fit whatever the other fits?"""
        return (
            self.country in (None, other.country)
            and self.region in (None, other.region)
            and self.on in ("all", other.on)
        )

    def meets(self, other: "TaxRule") -> bool:
        """Is there a line that both fit?"""
        pairs = ((self.country, other.country), (self.region, other.region))
        same_place = all(a is None or b is None or a == b for a, b in pairs)
        return same_place and (self.on == other.on or "all" in (self.on, other.on))


def broken_taxes(rules: Sequence[TaxRule]) -> Iterator[Problem]:
    """Rules that are never reached, and taxes that are at once in a price and on top of it."""
    for place, rule in enumerate(rules):
        above = rules[:place]
        if any(each.name == rule.name and each.covers(rule) for each in above):
            text = "a rule above takes all that it fits; move it up, or take it out"
            yield ("taxes", place), text
        others = (each for each in above if each.name != rule.name and each.meets(rule))
        other = next((each for each in others if each.included != rule.included), None)
        if other is not None:
            text = f"{other.name} above is for the same lines; both are included or none is"
            yield ("taxes", place, "included"), text
