"""Plans changed in closed months, as `--in-closed-months` does: the next close corrects them."""

from itertools import zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.checks.checks import charges_match_usage
from pipelines.checks.invoice_checks import one_invoice_per_subscription
from pipelines.close.verification import verify
from pipelines.corrections.late_usage import corrections_by
from pipelines.explain.explanation import explain_invoice
from pipelines.invoices.books import Books
from pipelines.reports.simulation import simulate
from schemas.period import BillingPeriod
from schemas.plan_state import first_difference
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from tests.builders import a_subscription, at, llm_tokens
from tests.fakes import FakeLedger
from tests.strategies import PLANS, catalogs, instants, subscriptions
from tests.unit.pipelines.corrections.test_late_usage import (
    MONTHS,
    World,
    a_world,
    billed,
    closed_on_time,
    sent,
)

BEFORE = "free 09-01, pro 10-16"


def upgraded() -> World:
    """October: 25.80 for 16 of 31 days of pro, and 17.56 for 2,195,483 tokens beyond 504,516."""
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription(BEFORE)]))
    world.send(("acme", "10-05", 60_000), ("acme", "10-20", 2_700_000))
    world.close("2026-10")
    assert world.invoice("2026-10").total_minor == 2580 + 1756
    return world


def replan(world: World, plans: str, effective: str, recorded: str = "11-05") -> None:
    world.ledger.replan(a_subscription(plans), at(effective), at(recorded))


def test_a_plan_changed_in_a_closed_month_is_corrected_by_the_next_close() -> None:
    world = upgraded()
    replan(world, "pro 09-01", "09-01")
    world.close("2026-11")
    # as if it had been pro all the time: 49.99, and 1,760,000 tokens beyond 1,000,000 for 14.08
    assert world.corrections("2026-11") == [
        ("correction", None, 4999 - 2580),
        ("correction", -60_000, 0),
        ("correction", 60_000, 1408 - 1756),
    ]
    assert world.invoice("2026-11").total_minor == 4999 + 2419 - 348
    world.close("2026-12")
    assert world.corrections("2026-12") == []


def test_it_is_corrected_with_what_came_late() -> None:
    world = upgraded()
    replan(world, "pro 09-01", "09-01")
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    assert sum(minor for _, _, minor in world.corrections("2026-11")) == 2419 - 348 + 200


def test_what_was_billed_to_who_began_later_is_given_back() -> None:
    world = upgraded()
    replan(world, "pro 11-01", "09-01")
    world.close("2026-11")
    assert sum(minor for _, _, minor in world.corrections("2026-11")) == -(2580 + 1756)
    assert world.invoice("2026-11").total_minor == 4999 - 2580 - 1756


@pytest.mark.parametrize("plans", ["pro 09-01", "pro 11-01"])
def test_what_was_billed_is_held_to_the_plans_that_it_rests_on(plans: str) -> None:
    world = upgraded()
    replan(world, plans, "09-01")
    assert verify("2026-10", world.ledger, world.warehouse).differences == ()
    books = Books("2026-10", world.ledger)
    assert charges_match_usage(books) == one_invoice_per_subscription(books) == []
    told = explain_invoice(world.invoice("2026-10"), world.ledger)
    assert told.endswith("Recomputed from the price list: every line agrees.\n")


@pytest.mark.parametrize("plans", ["pro 09-01", "pro 11-01"])
def test_the_live_price_list_simulated_is_what_was_billed(plans: str) -> None:
    world = upgraded()
    replan(world, plans, "09-01")
    found = simulate("2026-10", llm_tokens(), world.ledger, {})
    assert found.drafted == found.billed == {("acme", "USD"): 2580 + 1756}


@pytest.mark.parametrize(
    ("effective", "recorded"),
    [
        ("11-02", "11-05"),  # after the month
        ("09-01", "10-20"),  # before it was opened, so its invoice knows
    ],
)
def test_another_change_computes_nothing_again(effective: str, recorded: str) -> None:
    world = a_world()
    world.ledger.replan(world.ledger.subscribed[0], at(effective), at(recorded))
    opened = world.ledger.closings["2026-10"]
    ends_ms = BillingPeriod.month("2026-10").end_ms
    assert world.ledger.tenants_replanned(ends_ms, opened.opened_ms) == set()
    world.close("2026-11")
    assert corrections_by(world.ledger.closings["2026-11"], world.ledger, world.warehouse) == []


@st.composite
def unbroken(draw: st.DrawFn, tenant: str, currency: str) -> Subscription:
    """Some plans one after the other from August on: each month has an invoice."""
    starts = [at("08-01"), *sorted(draw(st.sets(instants(), max_size=3)) - {at("08-01")})]
    plans = [draw(st.sampled_from(PLANS)) for _ in starts]
    rows = zip_longest(plans, starts, starts[1:])
    segments = tuple(PlanSegment(plan, 1, start, end) for plan, start, end in rows)
    return Subscription(f"sub_{tenant}", tenant, currency, GOOD_CARD, segments)


@settings(max_examples=8)
@given(st.data())
def test_invoices_and_corrections_are_those_of_the_plans_as_they_are(data: st.DataObject) -> None:
    catalog, after = data.draw(catalogs(with_policies=True)), data.draw(subscriptions())
    before = data.draw(unbroken(after.tenant, after.currency))
    [events, *_] = data.draw(sent([after.tenant]))
    changed, right = (FakeLedger({1: catalog}, [each]) for each in (before, after))
    world = World(changed, list(events))
    for month in MONTHS[:2]:
        world.close(month)
    changed.replan(after, first_difference(before, after) or at("08-01"), at("11-05"))
    for month in MONTHS[2:]:
        world.close(month)
    assert billed(changed) == billed(closed_on_time(right, [events]))
