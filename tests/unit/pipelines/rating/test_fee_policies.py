"""Fees by the year, in advance, by the day and whole: each by hand, from both engines."""

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.plans.plan_commands import Change, SwitchInterval
from pipelines.plans.plan_life import carry_out
from pipelines.plans.plan_timeline import year_around
from pipelines.rating.proration import fee_lines
from schemas.catalog import Catalog
from schemas.errors import BillingError
from schemas.period import BillingPeriod, add_months, from_ms
from schemas.subscription import GOOD_CARD, Interval, Phase, PlanSegment, Subscription
from tests.billing import Bill, written
from tests.plan_lives import a_life, when

PLANS: dict[str, dict[str, Any]] = {
    "free": {"base_fee": {"USD": "0"}},
    "pro": {"base_fee": {"USD": "31.00"}, "base_fee_yearly": {"USD": "365.00"}},
    "team": {"base_fee": {"USD": "62.00"}, "base_fee_yearly": {"USD": "730.00"}},
    "ahead": {"base_fee": {"USD": "30.00"}, "policies": {"base_fee": "in_advance"}},
    "daily": {"base_fee": {"USD": "31.00"}, "policies": {"proration": "day"}},
    "twice": {"base_fee": {"USD": "62.00"}, "policies": {"proration": "day"}},
    "whole": {"base_fee": {"USD": "31.00"}, "policies": {"proration": "none"}},
    "large": {"base_fee": {"USD": "62.00"}, "policies": {"proration": "none"}},
}


def a_catalog() -> Catalog:
    body = {
        "name": "fees",
        "currencies": ("USD",),
        "default_plan": "free",
        "anniversary_billing": True,
        "meters": {"calls": {"event_type": "call", "aggregation": "count"}},
        "plans": {name: {"meters": {}} | terms for name, terms in PLANS.items()},
    }
    return Catalog.model_validate(body)


CATALOGS: dict[int, Catalog] = {1: a_catalog()}


def fees(life: str, month: str, anchor_day: int = 1) -> list[str]:
    bill = Bill(CATALOGS, a_life(life, anchor_day), month=BillingPeriod.month(month))
    return written(bill.lines(), "USD")[:-1]


YEARS: list[tuple[str, str, list[str]]] = [
    # a year is charged in the period in which it begins, and not again
    ("pro/year 10-01", "2026-10", ["base_fee pro 365.00"]),
    ("pro/year 10-01", "2026-11", ["base_fee pro 0.00"]),
    ("pro/year 10-01", "2027-09", ["base_fee pro 0.00"]),
    ("pro/year 10-01", "2027-10", ["base_fee pro 365.00"]),
    # it ends with a billing period: 16 October 2026 to 1 October 2027 are 350 of 365 days
    ("pro/year 10-16", "2026-10", ["base_fee pro 350.00"]),
    # 21 of 31 days are left of the month, 355 of 365 of the year
    (
        "pro 09-01, pro/year 10-11",
        "2026-10",
        ["base_fee pro 31.00", "proration_credit pro -21.00", "proration_charge pro 355.00"],
    ),
    # 21 days of October and 304 to 1 September
    (
        "pro/year 09-01, pro 10-11",
        "2026-10",
        ["base_fee pro 0.00", "proration_credit pro -325.00", "proration_charge pro 21.00"],
    ),
    (
        "pro/year 09-01, team/year 10-11",
        "2026-10",
        ["base_fee pro 0.00", "proration_credit pro -325.00", "proration_charge team 650.00"],
    ),
    # at a period's first instant it is that period's invoice that tells
    ("pro/year 09-01, team/year 11-01", "2026-10", ["base_fee pro 0.00"]),
    (
        "pro/year 09-01, team/year 11-01",
        "2026-11",
        ["proration_credit pro -304.00", "base_fee team 608.00"],
    ),
    (
        "pro/year 09-01, pro 11-01",
        "2026-11",
        ["proration_credit pro -304.00", "base_fee pro 31.00"],
    ),
    # an end has no later invoice
    ("pro/year 09-01 .. 10-11", "2026-10", ["base_fee pro 0.00", "proration_credit pro -325.00"]),
    ("pro/year 09-01 .. 11-01", "2026-10", ["base_fee pro 0.00", "proration_credit pro -304.00"]),
    ("pro/year 09-01 .. 2027-09-01", "2027-08", ["base_fee pro 0.00"]),
    ("pro/year 09-01, pro 2027-09-01", "2027-09", ["base_fee pro 31.00"]),
    # a trial is not paid for; the year is counted from the first paid period
    (
        "trial pro/year 10-01, pro/year 10-16",
        "2026-10",
        ["base_fee pro 0.00", "base_fee pro 350.00"],
    ),
    # a pause gives back, going on charges again
    (
        "pro/year 09-01, paused pro/year 10-11, pro/year 10-21",
        "2026-10",
        ["base_fee pro 0.00", "proration_credit pro -325.00", "base_fee pro 315.00"],
    ),
]


@pytest.mark.parametrize(("life", "month", "expected"), YEARS)
def test_a_year_is_charged_when_it_begins_and_what_is_left_is_given_back(
    life: str, month: str, expected: list[str]
) -> None:
    assert fees(life, month) == expected


ADVANCE: list[tuple[str, str, list[str]]] = [
    ("ahead 10-01", "2026-10", ["base_fee ahead 30.00", "base_fee ahead 30.00"]),
    ("ahead 09-01", "2026-10", ["base_fee ahead 0.00", "base_fee ahead 30.00"]),
    # 21 of 31 days, and November
    ("ahead 10-11", "2026-10", ["base_fee ahead 20.32", "base_fee ahead 30.00"]),
    ("ahead 09-01 .. 10-11", "2026-10", ["base_fee ahead 0.00", "proration_credit ahead -20.32"]),
    ("ahead 09-01 .. 11-01", "2026-10", ["base_fee ahead 0.00"]),
    (
        "ahead 09-01, pro 10-11",
        "2026-10",
        ["base_fee ahead 0.00", "proration_credit ahead -20.32", "proration_charge pro 21.00"],
    ),
    (
        "pro 09-01, ahead 10-11",
        "2026-10",
        [
            "base_fee pro 31.00",
            "proration_credit pro -21.00",
            "proration_charge ahead 20.32",
            "base_fee ahead 30.00",
        ],
    ),
    ("pro 09-01, ahead 11-01", "2026-10", ["base_fee pro 31.00", "base_fee ahead 30.00"]),
    ("pro 09-01, ahead 11-01", "2026-11", ["base_fee ahead 0.00", "base_fee ahead 30.00"]),
    ("trial ahead 10-01, ahead 11-01", "2026-10", ["base_fee ahead 0.00", "base_fee ahead 30.00"]),
    (
        "ahead 09-01, paused ahead 10-11, ahead 10-21",
        "2026-10",
        [
            "base_fee ahead 0.00",
            "proration_credit ahead -20.32",
            "base_fee ahead 10.65",
            "base_fee ahead 30.00",
        ],
    ),
]


@pytest.mark.parametrize(("life", "month", "expected"), ADVANCE)
def test_a_fee_in_advance_is_on_the_invoice_before(
    life: str, month: str, expected: list[str]
) -> None:
    assert fees(life, month) == expected


MEASURES: list[tuple[str, list[str]]] = [
    ("pro 10-11 12:00", ["base_fee pro 20.50"]),
    # a day belongs to what it ends with
    ("daily 10-11 12:00", ["base_fee daily 21.00"]),
    ("daily 09-01 .. 10-11 12:00", ["base_fee daily 10.00"]),
    (
        "daily 09-01, twice 10-11 23:59:59",
        ["base_fee daily 31.00", "proration_credit daily -21.00", "proration_charge twice 42.00"],
    ),
    # nothing is prorated: what begins the period is paid whole, once
    ("whole 10-16", ["base_fee whole 31.00"]),
    ("whole 09-01 .. 10-02", ["base_fee whole 31.00"]),
    ("whole 09-01, large 10-11", ["base_fee whole 31.00"]),
    ("whole 09-01, large 10-01", ["base_fee large 62.00"]),
    (
        "whole 09-01, paused whole 10-11, whole 10-21",
        ["base_fee whole 31.00", "base_fee whole 0.00"],
    ),
]


@pytest.mark.parametrize(("life", "expected"), MEASURES)
def test_a_part_is_measured_by_the_second_the_day_or_not_at_all(
    life: str, expected: list[str]
) -> None:
    assert fees(life, "2026-10") == expected


ANCHORS: list[tuple[str, int, str, list[str]]] = [
    # 16 September to 16 October, 30 days
    ("pro 09-16", 16, "2026-10", ["base_fee pro 31.00"]),
    ("pro 09-26", 16, "2026-10", ["base_fee pro 20.67"]),
    # 28 February to 31 March
    ("pro 01-31", 31, "2026-03", ["base_fee pro 31.00"]),
    ("pro 01-31 .. 03-10", 31, "2026-03", ["base_fee pro 10.00"]),
    # 31 January to 28 February
    ("pro 01-31, team 02-14", 31, "2026-02",
     ["base_fee pro 31.00", "proration_credit pro -15.50", "proration_charge team 31.00"]),
    # by the year from 16 October: 304 of 365 days are left on 16 December
    ("pro/year 10-16, team/year 12-16", 16, "2026-11", ["base_fee pro 365.00"]),
    ("pro/year 10-16, team/year 12-16", 16, "2026-12", ["base_fee pro 0.00"]),
    ("pro/year 10-16, team/year 12-16", 16, "2027-01",
     ["proration_credit pro -304.00", "base_fee team 608.00"]),
    ("ahead 09-16", 16, "2026-10", ["base_fee ahead 30.00", "base_fee ahead 30.00"]),
]  # fmt: skip


@pytest.mark.parametrize(("life", "anchor_day", "month", "expected"), ANCHORS)
def test_the_close_of_a_month_bills_the_period_that_ends_in_it(
    life: str, anchor_day: int, month: str, expected: list[str]
) -> None:
    assert fees(life, month, anchor_day) == expected


FEES = (Path(__file__).parents[4] / "docs/plans.md").read_text().partition("## Fee policies\n")[2]
_EXAMPLE = re.compile(r"^\| `(.+)` \| ([−\d., ]+) \|", re.M)


@pytest.mark.parametrize(("life", "amounts"), _EXAMPLE.findall(FEES))
def test_the_pages_examples_are_what_is_billed(life: str, amounts: str) -> None:
    billed = [line.rpartition(" ")[2] for line in fees(life, "2026-10")]
    assert billed == amounts.replace("−", "-").split(", ")


FIRST = "2026-01"
_PHASES: tuple[Phase, ...] = ("active", "active", "active", "trial", "paused")


@st.composite
def lives(draw: st.DrawFn) -> Subscription:
    """Plans by month, year and in advance, one after the other, that all end before 2029."""
    origin, anchor_day = BillingPeriod.month(FIRST).start_ms, draw(st.integers(1, 31))
    days = st.integers(1, 1000).map(lambda day: day * 86_400)
    seconds = st.one_of(days, st.integers(86_400, 1000 * 86_400))
    cuts = [origin + second * 1000 for second in sorted(draw(st.sets(seconds, min_size=2)))]
    whole = {BillingPeriod.around(cut, anchor_day).start_ms for cut in cuts}
    cuts = sorted({*cuts, *draw(st.sets(st.sampled_from(sorted(whole))))})
    segments = []
    for start, end in pairwise(cuts[:7]):
        plan = draw(st.sampled_from(("pro", "team", "ahead")))
        paid: Interval = draw(st.sampled_from(("month", "year")))
        if draw(st.integers(0, 5)):
            phase = draw(st.sampled_from(_PHASES))
            segments.append(PlanSegment(plan, 1, start, end, paid, phase))
    return Subscription("sub_acme", "acme", "USD", GOOD_CARD, tuple(segments), anchor_day)


def _worth(subscription: Subscription) -> Fraction:
    """What all that is in force costs in cents, each stretch as its share of a month or year."""
    total = Fraction(0)
    for segment in subscription.segments:
        at_ms, plan = segment.starts_ms, CATALOGS[1].plans[segment.plan]
        by_year = segment.interval == "year" and bool(plan.base_fee_yearly)
        fee = plan.yearly_fee_minor("USD") if by_year else plan.base_fee_minor("USD")
        while segment.phase == "active" and at_ms < (segment.ends_ms or 0):
            around = subscription.period_around(at_ms)
            whole = year_around(subscription, at_ms) if by_year else around
            end_ms = min(segment.ends_ms or 0, whole.end_ms)
            total += Fraction(fee * (end_ms - at_ms), whole.duration_ms)
            at_ms = end_ms
    return total


@settings(max_examples=60)
@given(lives())
def test_all_invoices_together_are_what_was_in_force_to_half_a_cent_a_line(
    subscription: Subscription,
) -> None:
    first, number, total = from_ms(BillingPeriod.month(FIRST).start_ms), 0, 0
    for months in range(39):
        month = BillingPeriod.month(f"{add_months(first, months):%Y-%m}")
        lines = fee_lines(subscription, subscription.billed_in(month), CATALOGS)
        number += len(lines)
        total += sum(each.line.amount_minor for each in lines)
    assert abs(total - _worth(subscription)) * 2 <= number


@settings(max_examples=60)
@given(lives(), st.integers(0, 38))
def test_who_is_billed_has_a_fee_line_and_both_engines_agree(
    subscription: Subscription, months: int
) -> None:
    first = from_ms(BillingPeriod.month(FIRST).start_ms)
    month = BillingPeriod.month(f"{add_months(first, months):%Y-%m}")
    lines = Bill(CATALOGS, subscription, month=month).lines()
    in_force = subscription.parts(subscription.billed_in(month))
    assert bool(lines) == any(segment.phase != "paused" for segment, _ in in_force)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"policies": {"base_fee": "in_advance"}, "minimum": {"USD": "5"}}, "leave out one of them"),
    (
        {"policies": {"base_fee": "in_advance"}, "discount": {"percent": "10%"}},
        "write `on: usage`, or use a coupon",
    ),
    (
        {"policies": {"proration": "none"}, "base_fee_yearly": {"USD": "100"}},
        "write second or day",
    ),
    ({"policies": {"proration": "none", "pool": "per_segment"}}, "write second or day"),
    ({"policies": {"proration": "hour"}}, "'second', 'day' or 'none'"),
]


@pytest.mark.parametrize(("terms", "told"), REFUSED)
def test_choices_that_contradict_each_other_are_refused(terms: dict[str, Any], told: str) -> None:
    body = a_catalog().model_dump(mode="json")
    body["plans"]["free"] = {"base_fee": {"USD": "10"}, "meters": {}} | terms
    with pytest.raises(ValidationError, match=re.escape(told)):
        Catalog.model_validate(body)


def test_a_plan_that_says_nothing_of_years_and_policies_keeps_its_bytes() -> None:
    plan = a_catalog().model_dump(mode="json")["plans"]
    assert {"policies", "base_fee_yearly"}.isdisjoint(plan["free"])
    assert plan["ahead"]["policies"]["base_fee"] == "in_advance"


@pytest.mark.parametrize(
    ("life", "command", "told"),
    [
        ("pro 09-01", Change(plan="whole", when=when("10-11")), "change at period-end"),
        ("whole 09-01", Change(plan="pro", when=when("10-11")), "change at period-end"),
        ("free 09-01", SwitchInterval(interval="year"), "no yearly fee in price list 1"),
    ],
)
def test_a_change_that_could_not_be_billed_is_refused(
    life: str, command: Change | SwitchInterval, told: str
) -> None:
    with pytest.raises(BillingError, match=told):
        carry_out(a_life(life), command, when("10-10"), CATALOGS)
