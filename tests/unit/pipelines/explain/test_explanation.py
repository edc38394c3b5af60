"""The explanation of an invoice, as its reader sees it."""

from dataclasses import replace

import pytest

from pipelines.explain.explanation import explain
from pipelines.invoices.books import Books
from schemas.catalog import Catalog
from tests.builders import a_subscription, explained, llm_tokens
from tests.unit.pipelines.close.test_closing import MONTH, World

FREE_TO_PRO = """\
Invoice 2026-10-000001 of design for 2026-10, in USD (finalized)
base_fee          Free, October 2026: 0.00 × 2,678,400 s ÷ 2,678,400 s = 0 → 0.00
proration_credit  Free unused, 16–31 October: 0.00 × 1,382,400 s ÷ 2,678,400 s = 0 → 0.00
proration_charge  Pro, 16–31 October: 49.99 × 1,382,400 s ÷ 2,678,400 s = 25.801290… → 25.80
included          Free, 1–15 October: 60,000 tokens, 0.00
included          Pro, 16–31 October: 504,516.129032 tokens, 0.00
overage           Pro, 16–31 October: 195,483.870968 tokens × 0.000008 = 1.563870… → 1.56
total             27.36

tokens included in this period: 564,516.129032
  Free, 1–15 October: 100,000 × 1,296,000 s ÷ 2,678,400 s = 48,387.096774… → 48,387.096774
  Pro, 16–31 October: 1,000,000 × 1,382,400 s ÷ 2,678,400 s = 516,129.032258… → 516,129.032258
  Free, 1–15 October: 60,000 used, 60,000 so far, 0 beyond what is included
  Pro, 16–31 October: 700,000 used, 760,000 so far, 195,483.870968 beyond what is included

Recomputed from the price list: every line agrees.
"""

UPGRADE_FEES = """\
base_fee          Pro, October 2026: 49.99 × 2,678,400 s ÷ 2,678,400 s = 49.99 → 49.99
proration_credit  Pro unused, 11–31 October: 49.99 × 1,814,400 s ÷ 2,678,400 s = 33.864193… → −33.86
proration_charge  Enterprise, 11–31 October: 199.99 × 1,814,400 s ÷ 2,678,400 s = 135.477096… → 135.48
"""  # noqa: E501 - the reader's lines are not cut


@pytest.fixture
def closed() -> World:
    world = World()
    world.close()
    return world


def test_overage_beyond_a_pool_of_two_plans_is_explained_to_the_cent(closed: World) -> None:
    assert explained(MONTH, "design", closed.ledger) == FREE_TO_PRO


def test_an_upgrade_shows_what_is_taken_back_and_what_is_charged(closed: World) -> None:
    text = explained(MONTH, "upgrade", closed.ledger)
    assert UPGRADE_FEES in text
    assert "total             151.61\n" in text


def test_an_invoice_that_the_price_list_does_not_give_is_told(closed: World) -> None:
    books = Books(MONTH, closed.ledger)
    [invoice] = closed.ledger.invoices(MONTH, tenant="design")
    wrong = (*invoice.lines[:-1], replace(invoice.lines[-1], amount_minor=157))
    text = explain(replace(invoice, lines=wrong), books.subscriptions[0], books.catalogs)
    assert text.endswith("THE LINES DIFFER; they would be 27.36.\n")


def test_a_pool_without_limit_and_a_plan_without_the_meter_are_told(closed: World) -> None:
    body = llm_tokens().model_dump(mode="json")
    body["plans"]["enterprise"]["meters"]["tokens"] = {"included": None}
    body["plans"]["pro"]["meters"] = {}
    [invoice] = closed.ledger.invoices(MONTH, tenant="idle")
    subscription = a_subscription("pro 09-01, enterprise 10-11")
    text = explain(invoice, subscription, {1: Catalog.model_validate(body)})
    assert "tokens included in this period: unlimited" in text
    assert "Pro, 1–10 October: the plan does not include it" in text
    assert "Enterprise, 11–31 October: unlimited" in text
