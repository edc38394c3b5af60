"""docs/pricing.md: each example is billed by both engines, and its arithmetic computed."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.catalog import Catalog
from schemas.subscription import Phase, Subscription
from tests.billing import Bill, label, usage_of
from tests.builders import a_subscription, at
from tests.pages import Example, examples, minor, rounded

EXAMPLES = examples("pricing.md")
PHASES: tuple[Phase, ...] = ("trial", "paused")


def catalog_of(given: dict[str, Any]) -> Catalog:
    """The example's price list, with what the page leaves out."""
    plans = given["plans"]
    first = next(iter(plans))
    body = {
        "name": "page",
        "currencies": tuple(plans[first]["base_fee"]),
        "default_plan": first,
        "meters": {name: _meter(card) for plan in plans.values() for name, card in _cards(plan)}
        or {"calls": _meter({})},
    }
    offers = {name: given[name] for name in ("coupons", "add_ons", "taxes") if name in given}
    return Catalog.model_validate(body | {"plans": plans} | offers)


def _cards(plan: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(plan["meters"].items())


def _meter(card: dict[str, Any]) -> dict[str, Any]:
    meter: dict[str, Any] = {"event_type": "any", "aggregation": "sum", "value": ["quantity"]}
    if by := card.get("overage", {}).get("by"):
        meter |= {"dimensions": [by], "priced_by": by}
    return meter


def subscription_of(given: dict[str, Any]) -> Subscription:
    """ "pro 10-01 trial, pro 10-15": a plan, the day from which on, and its phase."""
    text = given.get("subscribed", f"{next(iter(given['plans']))} 09-01")
    rows = [row.split() for row in text.split(", ")]
    phases: list[Phase] = [
        next((phase for phase in PHASES if phase in row), "active") for row in rows
    ]
    plain = ", ".join(" ".join(part for part in row if part not in PHASES) for row in rows)
    found = a_subscription(plain, currency=given.get("currency", "USD"))
    segments = tuple(
        replace(segment, phase=phase) for segment, phase in zip(found.segments, phases, strict=True)
    )
    return replace(found, segments=segments)


def has(given: dict[str, Any], currency: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the example's tenant has beside its plan, as the ledger's rows."""
    buyer = given.get("buyer", {})
    booked = {name: text.split(" from ") for name, text in given.get("booked", {}).items()}
    return {
        "buyers": [("acme", *map(buyer.get, ("country", "region", "tax_id")))] if buyer else [],
        "redemptions": [
            ("acme", name, 1, at(day), None) for name, day in given.get("redeemed", {}).items()
        ],
        "add_ons": [
            ("acme", name, name, 1, int(quantity), at(day), None)
            for name, (quantity, day) in booked.items()
        ],
        "items": [
            ("acme", name, "2026-10", currency, minor(amount, currency), name)
            for name, amount in given.get("items", {}).items()
        ],
        "credits": [_credit(each, currency) for each in given.get("credits", [])],
    }


def _credit(given: dict[str, str], currency: str) -> tuple[Any, ...]:
    amount = minor(given["amount"], currency)
    expires = at(given["expires"]) if "expires" in given else None
    return ("acme", given["key"], currency, amount, at(given["granted"]), expires, 50, amount)


def bill_of(given: dict[str, Any]) -> Bill:
    subscription = subscription_of(given)
    usage = usage_of(given.get("usage", ""))
    beside = has(given, subscription.currency)
    return Bill({1: catalog_of(given)}, subscription, usage, beside)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rows[-2][0])
def test_an_example_is_billed_as_its_table_says_and_its_arithmetic_is_right(
    example: Example,
) -> None:
    bill = bill_of(example.given)
    currency = bill.subscription.currency
    lines = bill.lines()
    *rows, (_, _, total) = example.rows
    assert [(label(line), line.amount_minor) for line in lines] == [
        (name, minor(amount, currency)) for name, _, amount in rows
    ]
    assert sum(line.amount_minor for line in lines) == minor(total, currency)
    assert [rounded(how, currency) for _, how, _ in rows] == [it.amount_minor for it in lines]


def test_the_page_has_every_price_model_and_every_kind_of_line() -> None:
    given = [example.given for example in EXAMPLES]
    cards = [card for each in given for plan in each["plans"].values() for _, card in _cards(plan)]
    models = {it.get("overage", {}).get("model", "per_unit") for it in cards if "overage" in it}
    assert models == {"per_unit", "package", "graduated", "volume", "percentage", "matrix"}
    kinds = {row[0].partition(" ")[0] for example in EXAMPLES for row in example.rows[:-1]}
    assert kinds == {
        "base_fee", "proration_credit", "proration_charge", "included", "overage", "not_billed",
        "add_on", "item", "maximum", "minimum", "discount", "tax", "credit_applied",
    }  # fmt: skip
