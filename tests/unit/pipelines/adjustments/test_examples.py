"""The worked examples of docs/adjustments.md: each is executed, its arithmetic included."""

from typing import Any

import pytest

from pipelines.adjustments.case import Case
from pipelines.adjustments.invoice import adjust
from pipelines.rating.proration import prorate_fees
from schemas.catalog import Catalog
from schemas.extras import BookedAddOn, Credit, CreditGrant, Given, OneOffItem, Redemption
from schemas.invoice import InvoiceLine
from schemas.subscription import Subscription
from schemas.tax import Buyer
from tests.builders import OCTOBER, a_subscription, at
from tests.pages import Example, examples, minor, rounded
from tests.unit.pipelines.adjustments.builders import a_catalog

EXAMPLES = examples("adjustments.md")
_AMOUNTS = {"base_fee", "minimum", "maximum", "amount", "fee"}


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


def _span(text: str) -> tuple[int, int | None]:
    start, _, end = text.partition(" .. ")
    return at(start), at(end) if end else None


def _given(given: dict[str, Any]) -> Given:
    return Given(
        Buyer(**given.get("buyer", {})),
        tuple(Redemption("acme", c, 1, *_span(t)) for c, t in given.get("redeemed", {}).items()),
        tuple(_booked(name, text) for name, text in given.get("booked", {}).items()),
        tuple(
            OneOffItem("acme", name, "2026-10", "USD", minor(amount), name)
            for name, amount in given.get("items", {}).items()
        ),
        tuple(_credit(**each) for each in given.get("credits", [])),
    )


def _booked(add_on: str, text: str) -> BookedAddOn:
    quantity, _, start = text.partition(" from ")
    return BookedAddOn("acme", add_on, add_on, 1, int(quantity), at(start))


def _credit(key: str, amount: str, granted: str, expires: str = "", priority: str = "50") -> Credit:
    ends = at(expires) if expires else None
    grant = CreditGrant("acme", key, "USD", minor(amount), at(granted), ends, int(priority))
    return Credit(grant, minor(amount))


def _usage(given: dict[str, Any], subscription: Subscription) -> list[InvoiceLine]:
    [(segment, part)] = subscription.parts(OCTOBER)
    return [
        InvoiceLine("overage", segment.plan, part, minor(amount), meter, 10**6)
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


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rows[-2][0])
def test_an_example_makes_the_lines_of_its_table(example: Example) -> None:
    lines = lines_of(example)
    *rows, total = example.rows
    assert [(_label(line), line.amount_minor) for line in lines] == [
        (label, minor(amount)) for label, _, amount in rows
    ]
    assert sum(line.amount_minor for line in lines) == minor(total[2])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rows[-2][0])
def test_the_arithmetic_beside_an_amount_is_right(example: Example) -> None:
    for line, (label, how, amount) in zip(lines_of(example), example.rows, strict=False):
        told = line.tax_minor if line.tax_minor is not None else minor(amount)
        assert not how or rounded(how) == told, label


def test_the_page_has_an_example_of_every_kind_of_line() -> None:
    kinds = {row[0].partition(" ")[0] for example in EXAMPLES for row in example.rows[:-1]}
    assert kinds >= {
        "add_on", "item", "maximum", "minimum", "discount", "tax", "credit_applied",
    }  # fmt: skip
    assert len(EXAMPLES) >= 18
