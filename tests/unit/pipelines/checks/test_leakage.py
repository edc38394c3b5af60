"""Usage and items that nobody is billed for, and what is below zero: each in a month with them."""

import pytest

from pipelines.checks.leakage import (
    Unbilled,
    items_without_invoice,
    unpriced_usage,
    usage_without_subscription,
)
from pipelines.invoices.books import Books
from schemas.errors import NotFound
from tests.builders import a_subscription, llm_tokens
from tests.fakes import FakeLedger
from tests.unit.pipelines.corrections.test_late_usage import World

MONTH = "2026-10"


def closed(*sent: tuple[str, str, int]) -> Books:
    """October of a tenant that has a plan from the fifth on, and of one that has none."""
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription("pro 10-05")]))
    world.send(*sent)
    world.close(MONTH)
    return Books(MONTH, world.ledger)


def told(found: list[Unbilled]) -> list[str]:
    return [str(each) for each in found]


def test_a_month_in_which_all_is_billed_has_no_findings() -> None:
    books = closed(("acme", "10-06", 5))
    assert books.live_heads["held"].to_pylist() == [None]
    assert unpriced_usage(books) == usage_without_subscription(books) == []


def test_usage_without_a_subscription_leaks() -> None:
    books = closed(("stranger", "10-06", 7), ("acme", "10-06", 5))
    assert told(usage_without_subscription(books)) == ["stranger: 7 tokens, no subscription"]
    assert unpriced_usage(books) == []


def test_usage_before_the_plan_began_is_unpriced() -> None:
    books = closed(("acme", "10-04", 3))
    assert told(unpriced_usage(books)) == ["acme: 3 tokens, no plan in force"]
    assert usage_without_subscription(books) == []


def test_an_item_of_who_has_no_invoice_in_its_month_leaks() -> None:
    ended = a_subscription("pro 09-01 .. 10-01", "ended")
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription("pro 10-05"), ended]))
    world.ledger.has["items"] = [
        ("acme", "k1", MONTH, "USD", 1000, "Setup"),
        ("ended", "k1", MONTH, "USD", 4200, "A dispute"),
        ("ended", "k2", "2026-11", "USD", 100, "Another month's"),
    ]
    world.close(MONTH)
    assert items_without_invoice(Books(MONTH, world.ledger)) == [
        "ended: USD 42.00 for A dispute, and no invoice in 2026-10"
    ]


def test_less_than_nothing_holds_its_tenant() -> None:
    books = closed(("acme", "10-06", -4))
    assert books.live_heads["held"].to_pylist() == ["tokens: the billed quantity -4 is negative"]


def test_a_month_that_was_not_compared_says_so_instead_of_nothing() -> None:
    world = World(FakeLedger({1: llm_tokens()}, []))
    world.open(MONTH)
    with pytest.raises(NotFound, match="nothing was compared yet; run `countinghouse close"):
        usage_without_subscription(Books(MONTH, world.ledger))
