"""The worked examples of docs/adjustments.md: each is executed, its arithmetic included."""

import ast
import operator
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipelines.adjustments.case import Case
from pipelines.adjustments.invoice import adjust
from pipelines.marked_yaml import read_yaml
from pipelines.proration import prorate_fees
from schemas.catalog import Catalog
from schemas.extras import BookedAddOn, Credit, CreditGrant, Given, OneOffItem, Redemption
from schemas.invoice import InvoiceLine
from schemas.money import divide_half_away, parse_minor
from schemas.subscription import Subscription
from schemas.tax import Buyer
from tests.builders import OCTOBER, a_subscription, at
from tests.unit.pipelines.adjustments.builders import a_catalog

PAGE = Path(__file__).parents[4] / "docs" / "adjustments.md"
_EXAMPLE = re.compile(r"^```yaml\n(?P<yaml>.*?)^```\n\n(?P<rows>(?:^\|[^\n]*\n)+)", re.M | re.S)
_AMOUNTS = {"base_fee", "minimum", "maximum", "amount", "fee"}
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Example:
    """An example of the page: what is given, and the rows of its table."""

    given: dict[str, Any]
    rows: list[Row]


def examples() -> list[Example]:
    return [_example(found) for found in _EXAMPLE.finditer(PAGE.read_text())]


def _example(found: re.Match[str]) -> Example:
    tree: Any = read_yaml(found["yaml"], "docs/adjustments.md").tree
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in found["rows"].splitlines()]
    return Example(tree, [(line, how, amount) for line, how, amount in cells[2:]])


def _priced(value: Any) -> Any:
    """The page's amounts are of US dollars; a price list's are by currency."""
    if isinstance(value, dict):
        return {
            key: {"USD": own} if key in _AMOUNTS and isinstance(own, str) else _priced(own)
            for key, own in value.items()
        }
    return value


def _catalog(given: dict[str, Any]) -> Catalog:
    offers = {name: _priced(given.get(name, {})) for name in ("coupons", "add_ons")}
    plans = {"pro": _priced(given["plan"])}
    return a_catalog(plans, ["USD"], taxes=given.get("taxes", []), **offers)


def _minor(text: str) -> int:
    return parse_minor(text.replace("−", "-"), "USD")


def _span(text: str) -> tuple[int, int | None]:
    start, _, end = text.partition(" .. ")
    return at(start), at(end) if end else None


def _given(given: dict[str, Any]) -> Given:
    return Given(
        Buyer(**given.get("buyer", {})),
        tuple(Redemption("acme", c, 1, *_span(t)) for c, t in given.get("redeemed", {}).items()),
        tuple(_booked(name, text) for name, text in given.get("booked", {}).items()),
        tuple(
            OneOffItem("acme", name, "2026-10", "USD", _minor(amount), name)
            for name, amount in given.get("items", {}).items()
        ),
        tuple(_credit(**each) for each in given.get("credits", [])),
    )


def _booked(add_on: str, text: str) -> BookedAddOn:
    quantity, _, start = text.partition(" from ")
    return BookedAddOn("acme", add_on, add_on, 1, int(quantity), at(start))


def _credit(key: str, amount: str, granted: str, expires: str = "", priority: str = "50") -> Credit:
    ends = at(expires) if expires else None
    grant = CreditGrant("acme", key, "USD", _minor(amount), at(granted), ends, int(priority))
    return Credit(grant, _minor(amount))


def _usage(given: dict[str, Any], subscription: Subscription) -> list[InvoiceLine]:
    [(segment, part)] = subscription.parts(OCTOBER)
    return [
        InvoiceLine("overage", segment.plan, part, _minor(amount), meter, 10**6)
        for meter, amount in sorted(given.get("usage", {}).items())
    ]


def lines_of(example: Example) -> list[InvoiceLine]:
    given, catalogs = example.given, {1: _catalog(example.given)}
    subscription = a_subscription(given.get("subscribed", "pro 09-01"))
    lines = prorate_fees(subscription, OCTOBER, catalogs) + _usage(given, subscription)
    case = Case(subscription, OCTOBER, catalogs, lines, _given(given), catalogs[1].taxes)
    return [*lines, *adjust(case)]


def _label(line: InvoiceLine) -> str:
    names = {
        "discount": (line.name, line.product),
        "tax": (line.name, line.meter or line.product),
    }
    parts = names.get(line.kind, (line.name or line.meter,))
    return " ".join([line.kind, *(part for part in parts if part)])


def _rounded(arithmetic: str) -> int:
    """The cents of an expression as the page writes it, rounded once."""
    plain = arithmetic.replace("−", "-").replace("×", "*").replace("÷", "/").replace("%", "/100")
    value = 100 * _value(ast.parse(plain, mode="eval").body, plain)
    return divide_half_away(value.numerator, value.denominator)


_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _value(node: ast.expr, text: str) -> Fraction:
    match node:
        case ast.BinOp():
            left, right = _value(node.left, text), _value(node.right, text)
            result: Fraction = _OPERATORS[type(node.op)](left, right)
            return result
        case ast.UnaryOp():
            return -_value(node.operand, text)
    return Fraction(ast.get_source_segment(text, node) or "")


@pytest.mark.parametrize("example", examples(), ids=lambda each: each.rows[-2][0])
def test_an_example_makes_the_lines_of_its_table(example: Example) -> None:
    lines = lines_of(example)
    *rows, total = example.rows
    assert [(_label(line), line.amount_minor) for line in lines] == [
        (label, _minor(amount)) for label, _, amount in rows
    ]
    assert sum(line.amount_minor for line in lines) == _minor(total[2].strip("*"))


@pytest.mark.parametrize("example", examples(), ids=lambda each: each.rows[-2][0])
def test_the_arithmetic_beside_an_amount_is_right(example: Example) -> None:
    for line, (label, how, amount) in zip(lines_of(example), example.rows, strict=False):
        told = line.tax_minor if line.tax_minor is not None else _minor(amount)
        assert not how or _rounded(how) == told, label


def test_the_page_has_an_example_of_every_kind_of_line() -> None:
    kinds = {row[0].partition(" ")[0] for example in examples() for row in example.rows[:-1]}
    assert kinds >= {
        "add_on", "item", "maximum", "minimum", "discount", "tax", "credit_applied",
    }  # fmt: skip
    assert len(examples()) >= 18
