"""A case of billing as a page or a golden file says it, made into a bill: plans, usage, offers."""

import json
from functools import cache
from typing import Any

from pipelines.catalog import catalog_file
from pipelines.catalog.marked_yaml import MarkedYaml
from pipelines.catalog.plan_parents import with_parents
from schemas.catalog import Catalog
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from tests.billing import Bill, usage_of
from tests.builders import LLM_TOKENS_FILE, at
from tests.pages import minor
from tests.plan_lives import a_life

CATALOGS = LLM_TOKENS_FILE.parent


@cache
def shipped(name: str) -> Catalog:
    """A price list that ships, by its name."""
    path = CATALOGS / f"{name}.yaml"
    return catalog_file.parse(path.read_text(), path.name)


def catalog_of(given: dict[str, Any]) -> Catalog:
    """A shipped price list by its name, or one of these plans with what is left out; and offers."""
    offers = {name: given[name] for name in ("coupons", "add_ons", "taxes") if name in given}
    if "catalog" in given:
        return Catalog.model_validate(
            json.loads(shipped(given["catalog"]).model_dump_json()) | offers
        )
    plans = whole_plans(given)
    first = next(iter(plans))
    body = {
        "name": "page",
        "currencies": tuple(plans[first]["base_fee"]),
        "default_plan": first,
        "meters": {name: _meter(card) for plan in plans.values() for name, card in cards_of(plan)}
        or {"calls": _meter({})},
    }
    return Catalog.model_validate(body | {"plans": plans} | offers)


def whole_plans(given: dict[str, Any]) -> dict[str, Any]:
    """The plans of a case, with what they take over from others."""
    tree: Any = with_parents(MarkedYaml("page", {"plans": given["plans"]}, {}, {})).tree
    plans: dict[str, Any] = tree["plans"]
    return plans


def cards_of(plan: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(plan["meters"].items())


def _meter(card: dict[str, Any]) -> dict[str, Any]:
    meter: dict[str, Any] = {"event_type": "any", "aggregation": "sum", "value": ["quantity"]}
    if by := card.get("overage", {}).get("by"):
        meter |= {"dimensions": [by], "priced_by": by}
    return meter


def subscription_of(given: dict[str, Any]) -> Subscription:
    """The example's plans over time, as `tests.plan_lives` reads them."""
    life = given.get("subscribed") or f"{next(iter(given['plans']))} 09-01"
    return a_life(life, int(given.get("anchor_day", 1)), given.get("currency", "USD"))


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
    month = BillingPeriod.month(given.get("month", "2026-10"))
    return Bill({1: catalog_of(given)}, subscription, usage, beside, month)
