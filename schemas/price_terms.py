"""The words of a price list: amounts, quantities, percentages, and how problems are told.

Owns how each is written and kept. What a plan makes of them is in `rate_card` and `prices`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.money import format_pico, minor_digits, parse_pico
from schemas.quantity import format_micro, to_micro

UNLIMITED = "unlimited"
MAX_PICO = 2**63 - 1
"""Largest unit price, in 1e-12: about nine million a unit; lines keep it in 64 bits."""

PROBLEMS = "price_list_problems"
"""The type of a pydantic error whose context lists problems with their places."""

_WHOLE = re.compile(r"[+-]?[0-9_]+")

Problem = tuple[tuple[str | int, ...], str]
"""Where in a model something is wrong, and what: several can be told at once."""


def tell(problems: Sequence[Problem]) -> None:
    """Raise all problems as one pydantic error, whose context holds their places."""
    if problems:
        text = "; ".join(f"{'.'.join(map(str, path))}: {reason}" for path, reason in problems)
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
    if not isinstance(value, str):
        return value
    number = value.removesuffix("%").strip()
    if not _WHOLE.fullmatch(number):
        raise ValueError(f"{value!r} is no whole percentage; write it like 100% or 100")
    return number


def unlimited(value: object) -> object:
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


Amounts = dict[Currency, Price]
"""An amount of a major unit for each currency."""


class PerUnits(Closed):
    """An amount of each currency for every `per` units."""

    per: Annotated[int, Field(ge=1, le=10**9)] = 1
    price: Annotated[Amounts, Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_a_line(self) -> Self:
        self.check(self.per, self.price)
        return self

    @staticmethod
    def check(per: int, amounts: Amounts, name: str = "price") -> None:
        """Refuse unit prices that no line can hold; `name` is where the amounts stand."""
        tell([((name, c), text) for c, amount in amounts.items() for text in _faults(amount, per)])

    def unit_price_pico(self, currency: str) -> int:
        """Price of one unit in 1e-12 of a major unit: 8 USD per 1,000,000 → 8_000_000."""
        return parse_pico(self.price[currency]) // self.per


def _faults(amount: str, per: int) -> Iterator[str]:
    price_pico = parse_pico(amount)
    if price_pico % per:
        yield f"{amount} for every {per} is finer than 1e-12 a unit"
    if price_pico // per > MAX_PICO:
        yield f"{amount} for every {per} is too much for one unit"
