"""A value computed from several properties, such as `input_tokens * 3 + output_tokens * 15`.

Owns the language (names, decimal literals, + - *, parentheses) and its exact arithmetic. There is
no division, since a quotient may have no end. Which property holds what is the reader's matter.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod

from schemas.decimals import scaled

MAX_LENGTH = 200
MAX_TERMS = 50
"""More summands than these, multiplied out, are refused."""

MAX_DIGITS = 12
"""Decimals of a literal."""

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>\d[\d_]*(?:\.\d+)?)|(?P<sign>\S))")

Product = tuple[str, ...]
"""Names that are multiplied, in order; () is 1."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A sum of products of properties: `coefficients` are integers of 1e-`digits`."""

    coefficients: Mapping[Product, int]
    digits: int

    @property
    def names(self) -> tuple[str, ...]:
        """The properties that it reads, each once."""
        return tuple(dict.fromkeys(name for product in self.coefficients for name in product))

    def evaluate(self, values: Mapping[str, int], digits: int) -> int:
        """Its value in integers of 1e-`digits`, the unit of `values` as well.

        Raises:
            ValueError: the value has more decimals; nothing is rounded.
        """
        degree = max(map(len, self.coefficients))
        total = 0
        for product, factor in self.coefficients.items():
            missing: int = 10 ** (digits * (degree - len(product)))
            total += factor * missing * prod(values[name] for name in product)
        unit: int = 10 ** (self.digits + digits * (degree - 1))
        value, rest = divmod(total, unit)
        if rest:
            raise ValueError(f"the value has more than {digits} decimals")
        return value


@cache
def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises:
        ValueError: it is none; the text names the character, and what to write.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it has {len(text)} characters; write at most {MAX_LENGTH}")
    found = _Parser(text).expression()
    if not any(found.coefficients):
        raise ValueError("it reads no property; name one, or count events by `aggregation: count`")
    return found


class _Parser:
    """Descends through sums, products and factors; what it has read so far it forgets."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def expression(self) -> Expression:
        found = self._sum()
        if self._peek() != "":
            raise self._error("is not expected here; write + - or * between two parts")
        return found

    def _sum(self) -> Expression:
        total = self._product()
        while self._peek() in ("+", "-"):
            if self._take() == "+":
                total = _add(total, self._product())
            else:
                total = _add(total, _multiply(_MINUS_ONE, self._product()))
        return total

    def _product(self) -> Expression:
        total = self._factor()
        while self._peek() == "*":
            self._take()
            total = _multiply(total, self._factor())
            if len(total.coefficients) > MAX_TERMS:
                raise self._error(f"makes more than {MAX_TERMS} summands; write it simpler")
        return total

    def _factor(self) -> Expression:
        kind, text, _ = self._tokens[self._next]
        if kind == "name":
            self._take()
            return Expression({(text,): 1}, 0)
        if kind == "number":
            self._take()
            return Expression({(): scaled(text.replace("_", ""), MAX_DIGITS)}, MAX_DIGITS)
        if text == "-":
            self._take()
            return _multiply(_MINUS_ONE, self._factor())
        if text != "(":
            raise self._error("is no property, number or parenthesis; write one here")
        self._take()
        inner = self._sum()
        if self._peek() != ")":
            raise self._error("stands where a parenthesis is still open; close it with )")
        self._take()
        return inner

    def _peek(self) -> str:
        _, text, _ = self._tokens[self._next]
        return text

    def _take(self) -> str:
        text = self._peek()
        self._next += 1
        return text

    def _error(self, reason: str) -> ValueError:
        _, text, place = self._tokens[self._next]
        return ValueError(f"character {place}: {f'{text!r}' if text else 'the end'} {reason}")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and place (from 1) of each token; the last one is the end."""
    at = 0
    while found := _TOKEN.match(text, at):
        kind = found.lastgroup or ""
        part, at = found[kind], found.end()
        place = found.start(kind) + 1
        if kind == "sign" and part not in "+-*()":
            remedy = "multiply by a decimal such as 0.001" if part == "/" else "there are + - * ( )"
            raise ValueError(f"character {place}: {part!r} cannot be used; {remedy}")
        yield kind, part, place
    yield "end", "", len(text) + 1


_MINUS_ONE = Expression({(): -1}, 0)


def _add(left: Expression, right: Expression) -> Expression:
    digits = max(left.digits, right.digits)
    total: dict[Product, int] = {}
    for side in (left, right):
        for product, factor in side.coefficients.items():
            total[product] = total.get(product, 0) + factor * 10 ** (digits - side.digits)
    return _reduced(total, digits)


def _multiply(left: Expression, right: Expression) -> Expression:
    total: dict[Product, int] = {}
    for ours, factor in left.coefficients.items():
        for theirs, other in right.coefficients.items():
            product = tuple(sorted(ours + theirs))
            total[product] = total.get(product, 0) + factor * other
    return _reduced(total, left.digits + right.digits)


def _reduced(total: dict[Product, int], digits: int) -> Expression:
    """Without summands of nothing and needless digits: 3 is 3, not 3000 thousandths."""
    kept = {product: factor for product, factor in total.items() if factor}
    while digits and all(factor % 10 == 0 for factor in kept.values()):
        kept = {product: factor // 10 for product, factor in kept.items()}
        digits -= 1
    return Expression(kept, digits)
