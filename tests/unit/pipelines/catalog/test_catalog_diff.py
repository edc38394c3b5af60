"""What a change of the price list does to whom, in words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from pipelines.catalog.catalog_diff import changes, in_words
from pipelines.catalog.catalog_terms import Term, terms_of
from schemas.catalog import Catalog
from tests.builders import llm_tokens
from tests.strategies import catalogs

Edit = Callable[[dict[str, Any]], object]


def edited(edit: Edit) -> Catalog:
    """The shipped price list with a change in it."""
    body = json.loads(llm_tokens().model_dump_json())
    edit(body)
    return Catalog.model_validate(body)


def told(edit: Edit, holders: dict[tuple[str, int], int] | None = None) -> list[str]:
    return list(in_words(changes(llm_tokens(), edited(edit), holders)))


def tokens(body: dict[str, Any], plan: str = "pro") -> dict[str, Any]:
    card: dict[str, Any] = body["plans"][plan]["meters"]["tokens"]
    return card


MINI = {"base_fee": {"USD": "5", "CNY": "35"}, "meters": {}}
MINIMUM = {"USD": "60", "CNY": "400"}
YEARLY = {"USD": "499", "CNY": "3490"}
BY_DAY = {"proration": "day"}
COUPONS = {"HI": {"percent": "20%", "on": "fees", "lasts": "once"}}
NEW = "    for whoever subscribes from then on"
KEEP = f"{NEW}; its subscribers keep it as it is until `countinghouse subscriptions move`"


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (lambda body: body["plans"]["pro"]["base_fee"].update(USD="59.99"),
         ["plan pro", "    base fee in USD: 49.99 → 59.99", KEEP]),
        (lambda body: tokens(body)["overage"]["price"].update(CNY="49"),
         ["plan pro", "    tokens, more costs in CNY: 56 per 1,000,000 → 49 per 1,000,000", KEEP]),
        (lambda body: tokens(body).update(included="2000000", hard_limit=None),
         ["plan pro", "    tokens, included: 1,000,000 → 2,000,000",
          "    tokens, hard limit: 150% of what is included → none", KEEP]),
        (lambda body: tokens(body, "enterprise").update(quotas={"hour": {"limit": "5000000"}}),
         ["plan enterprise", "    tokens, a hour: at most 5,000,000, told at 80%", KEEP]),
        (lambda body: tokens(body, "free").update(grace={"seconds": 5400}),
         ["plan free", "    tokens, grace: 90 min",
          f"{KEEP}; it limits tenants without a subscription"]),
        (lambda body: body["plans"].pop("enterprise"),
         ["- plan enterprise: taken out",
          "    nobody can subscribe to it any more; its subscribers keep it as it is until "
          "`countinghouse subscriptions move`"]),
        (lambda body: body["plans"].update(mini=MINI),
         ["+ plan mini: new", "    base fee in USD: 5.00", "    base fee in CNY: 35.00", NEW]),
        (lambda body: body["plans"]["pro"].update(features=["sso"], minimum=MINIMUM),
         ["plan pro", "    minimum in USD: 60.00", "    minimum in CNY: 400.00",
          "    features: sso", KEEP]),
        (lambda body: body["plans"]["pro"].update(base_fee_yearly=YEARLY, policies=BY_DAY),
         ["plan pro", "    base fee for a year in USD: 499.00",
          "    base fee for a year in CNY: 3,490.00", "    policy for proration: day", KEEP]),
        (lambda body: body["meters"]["tokens"].update(value="input_tokens * 3 + output_tokens"),
         ["meter tokens",
          "    counts: sum of input_tokens + output_tokens in llm.request → "
          "sum of input_tokens * 3 + output_tokens in llm.request",
          "    for everyone, once it is rolled out: `countinghouse catalog rollout`"]),
        (lambda body: body.update(coupons=COUPONS),
         ["+ coupon HI: new", "    takes: 20% off fees", "    lasts: once",
          "    for whoever redeems it from then on; who has redeemed it keeps its terms"]),
        (lambda body: body.update(taxes=[{"name": "VAT", "country": "DE", "rate": "19%"}]),
         ["+ tax VAT of DE: new", "    rate: 19%",
          "    on every invoice of a month that is closed by it"]),
        (lambda body: body["costs"]["input_tokens"]["price"].update(USD="2.5"),
         ["costs", "    input_tokens in USD: 3 per 1,000,000 → 2.5 per 1,000,000",
          "    nobody is billed by it"]),
        (lambda body: body.update(default_plan="pro"),
         ["price list", "    default plan: free → pro"]),
        (lambda body: body.update(meters=dict(reversed(body["meters"].items()))),
         ["meters", "    order: tokens, input_tokens, output_tokens → "
          "output_tokens, input_tokens, tokens",
          "    for everyone, once it is rolled out: `countinghouse catalog rollout`"]),
    ],
)  # fmt: skip
def test_a_change_is_told_in_words(edit: Edit, lines: list[str]) -> None:
    assert told(edit) == lines


@pytest.mark.parametrize(
    ("holders", "title", "keeps"),
    [
        ({("pro", 1): 1}, "plan pro (1 by version 1)", "; 1 tenant keeps it as it is"),
        ({("pro", 2): 7, ("pro", 1): 1200, ("free", 1): 9},
         "plan pro (1,200 by version 1, 7 by version 2)", "; 1,207 tenants keep it as it is"),
        ({("free", 1): 9}, "plan pro (nobody has it)", ""),
    ],
)  # fmt: skip
def test_whom_it_concerns_is_counted(
    holders: dict[tuple[str, int], int], title: str, keeps: str
) -> None:
    lines = told(lambda body: body["plans"]["pro"]["base_fee"].update(USD="59.99"), holders)
    assert lines[0] == title
    assert lines[-1] == NEW + (f"{keeps} until `countinghouse subscriptions move`" if keeps else "")


@settings(max_examples=25)
@given(catalogs(), catalogs())
def test_differences_lead_from_one_price_list_to_the_other(old: Catalog, new: Catalog) -> None:
    assert changes(old, old) == []
    terms = dict(terms_of(old))
    for each in (each for change in changes(old, new) for each in change.differences):
        if each.name != "order":
            assert terms.pop(Term(each.subject, each.name), None) == each.old
            if each.new is not None:
                terms[Term(each.subject, each.name)] = each.new
    assert terms == terms_of(new)
