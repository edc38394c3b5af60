"""What a part of a month costs: worked examples, and what must hold for every subscription."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rating.proration import prorate, prorate_fees
from pipelines.segments.segments import parts, unbroken
from schemas.period import BillingPeriod
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from tests.builders import OCTOBER, a_subscription, at, llm_tokens
from tests.strategies import subscriptions

CATALOGS = {1: llm_tokens()}


def fees(plans: str, currency: str = "USD") -> list[str]:
    """Fee lines as a person would write them: kind, plan, first day, day after the last, cents."""
    lines = prorate_fees(a_subscription(plans, currency=currency), OCTOBER, CATALOGS)
    return [f"{line.kind} {line.plan} {_days(line.period)} {line.amount_minor}" for line in lines]


def _days(period: BillingPeriod) -> str:
    day = 86_400_000
    first = (period.start_ms - OCTOBER.start_ms) // day + 1
    return f"{first}-{(period.end_ms - OCTOBER.start_ms) // day + 1}"


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        ("pro 09-01", ["base_fee pro 1-32 4999"]),
        ("free 09-01", ["base_fee free 1-32 0"]),
        ("pro 10-11", ["base_fee pro 11-32 3386"]),
        ("pro 09-01 .. 10-11", ["base_fee pro 1-11 1613"]),
        ("pro 10-05 .. 10-06", ["base_fee pro 5-6 161"]),
        (
            "pro 09-01, enterprise 10-11",
            [
                "base_fee pro 1-32 4999",
                "proration_credit pro 11-32 -3386",
                "proration_charge enterprise 11-32 13548",
            ],
        ),
        (
            "free 09-01, pro 10-16",
            [
                "base_fee free 1-32 0",
                "proration_credit free 16-32 0",
                "proration_charge pro 16-32 2580",
            ],
        ),
        (
            "enterprise 09-01, pro 10-16 .. 10-21",
            [
                "base_fee enterprise 1-21 12903",
                "proration_credit enterprise 16-21 -3226",
                "proration_charge pro 16-21 806",
            ],
        ),
        (
            "pro 09-01 .. 10-11, pro 10-21",
            ["base_fee pro 1-11 1613", "base_fee pro 21-32 1774"],
        ),
        ("pro 08-01, enterprise 09-16", ["base_fee enterprise 1-32 19999"]),
        ("pro 09-01, enterprise 11-01", ["base_fee pro 1-32 4999"]),
        ("pro 09-01 .. 10-01", []),
        ("pro 11-01", []),
    ],
)
def test_fees_of_october(plans: str, expected: list[str]) -> None:
    assert fees(plans) == expected


def test_an_upgrade_on_the_eleventh_costs_151_dollars_61() -> None:
    lines = prorate_fees(a_subscription("pro 09-01, enterprise 10-11"), OCTOBER, CATALOGS)
    assert [line.amount_minor for line in lines] == [4999, -3386, 13548]
    assert sum(line.amount_minor for line in lines) == 15161


def test_the_fee_is_that_of_the_tenants_currency() -> None:
    assert fees("pro 10-11", currency="CNY") == ["base_fee pro 11-32 23642"]


@pytest.mark.parametrize(
    ("until", "cents"),
    [("10-01 00:00:01", 0), ("10-01 00:04:27", 0), ("10-01 00:04:28", 1), ("10-31 23:59:59", 4999)],
)
def test_fees_are_prorated_by_the_second(until: str, cents: int) -> None:
    assert prorate(4999, BillingPeriod(OCTOBER.start_ms, at(until)), OCTOBER) == cents


@pytest.mark.parametrize(("fee", "cents"), [(1, 1), (3, 2), (4, 2), (0, 0)])
def test_half_a_cent_is_rounded_away_from_zero(fee: int, cents: int) -> None:
    november = BillingPeriod.month("2026-11")
    half = BillingPeriod(november.start_ms, november.start_ms + november.duration_ms // 2)
    assert prorate(fee, half, november) == cents


@given(subscriptions())
def test_fees_never_differ_from_the_exact_share_by_more_than_half_a_cent_a_line(
    subscription: Subscription,
) -> None:
    lines = prorate_fees(subscription, OCTOBER, CATALOGS)
    exact = sum(
        CATALOGS[1].plans[part.plan].base_fee_minor(subscription.currency) * part.period.duration_ms
        for part in parts(subscription, OCTOBER)
        if not part.is_trial
    )
    off = sum(line.amount_minor for line in lines) * OCTOBER.duration_ms - exact
    assert 2 * abs(off) <= len(lines) * OCTOBER.duration_ms


@given(subscriptions())
def test_credits_never_charge_and_charges_never_credit(subscription: Subscription) -> None:
    for line in prorate_fees(subscription, OCTOBER, CATALOGS):
        assert (
            (line.amount_minor <= 0)
            if line.kind == "proration_credit"
            else (line.amount_minor >= 0)
        )


@given(subscriptions(), st.sampled_from(["free", "pro", "enterprise"]))
def test_a_change_to_the_same_plan_changes_nothing(subscription: Subscription, plan: str) -> None:
    same = replace(
        subscription, segments=tuple(replace(s, plan=plan) for s in subscription.segments)
    )
    fee_minor = CATALOGS[1].plans[plan].base_fee_minor(subscription.currency)
    whole = sum(
        prorate(fee_minor, BillingPeriod(run[0].period.start_ms, run[-1].period.end_ms), OCTOBER)
        for run in unbroken(parts(same, OCTOBER))
        if not run[0].is_trial
    )
    assert sum(line.amount_minor for line in prorate_fees(same, OCTOBER, CATALOGS)) == whole


@given(subscriptions())
def test_every_unbroken_part_begins_with_one_base_fee(subscription: Subscription) -> None:
    lines = prorate_fees(subscription, OCTOBER, CATALOGS)
    runs = list(unbroken(parts(subscription, OCTOBER)))
    assert [line.kind for line in lines].count("base_fee") == len(runs)
    assert len(lines) == sum(2 * len(run) - 1 for run in runs)


def test_a_trial_costs_nothing_and_the_fee_begins_when_it_ends() -> None:
    segments = (
        PlanSegment("pro", 1, at("10-01"), at("10-15"), phase="trial"),
        PlanSegment("pro", 1, at("10-15"), None),
    )
    tried = Subscription("sub_acme", "acme", "USD", GOOD_CARD, segments)
    lines = prorate_fees(tried, OCTOBER, {1: llm_tokens()})
    # 49.99 × 17 of 31 days = 27.4138…
    assert [(line.kind, line.amount_minor) for line in lines] == [
        ("base_fee", 0),
        ("base_fee", 2741),
    ]
