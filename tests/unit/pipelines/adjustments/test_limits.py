"""Minimum and maximum where plans change, end, are tried, paused or paid by the year."""

from dataclasses import replace
from typing import Any

import pytest

from pipelines.adjustments.buckets import filled
from pipelines.adjustments.case import Case
from pipelines.adjustments.limits import maximum, minimum
from schemas.invoice import InvoiceLine
from schemas.subscription import Interval, Phase
from tests.builders import OCTOBER, a_subscription
from tests.unit.pipelines.adjustments.builders import a_catalog

PLANS: dict[str, dict[str, Any]] = {
    "small": {"minimum": {"USD": "31"}, "maximum": {"USD": "310"}},
    "large": {"minimum": {"USD": "62"}, "maximum": {"USD": "620"}},
    "open": {},
}
CATALOGS = {
    1: a_catalog(PLANS, ["USD"]),
    2: a_catalog(PLANS | {"small": {}}, ["USD"]),
}


def a_case(
    plans: str,
    usage: dict[tuple[str, str], int],
    phase: Phase = "active",
    interval: Interval = "month",
) -> Case:
    """Plans in October, the first of them in a phase, and usage in cents by plan and meter."""
    subscription = a_subscription(plans)
    first, *others = subscription.segments
    first = replace(first, phase=phase, interval=interval)
    lines = [
        InvoiceLine("overage", plan, OCTOBER, amount, meter)
        for (plan, meter), amount in usage.items()
    ]
    life = replace(subscription, segments=(first, *others))
    return Case(life, OCTOBER, CATALOGS, lines)


def capped(case: Case) -> list[tuple[str, int]]:
    lines, left = maximum(case, filled(case.lines))
    assert sum(left.values()) == sum(line.amount_minor for line in (*case.lines, *lines))
    return [(line.plan, line.amount_minor) for line in lines]


def raised(case: Case) -> list[tuple[str, int]]:
    lines, left = minimum(case, filled(case.lines))
    assert sum(left.values()) == sum(line.amount_minor for line in (*case.lines, *lines))
    return [(line.plan, line.amount_minor) for line in lines]


@pytest.mark.parametrize(
    ("plans", "usage", "lines"),
    [
        ("small 09-01", {("small", "tokens"): 31_000}, []),
        ("small 09-01", {("small", "tokens"): 31_001}, [("small", -1)]),
        ("small 09-01", {("small", "tokens"): 30_000, ("small", "calls"): 2_000},
         [("small", -1_000)]),
        # ten days of 310.00 and 21 of 620.00: 520.00 together, taken from both in proportion
        ("small 09-01, large 10-11", {("small", "tokens"): 10_000, ("large", "tokens"): 62_000},
         [("large", -17_222), ("small", -2_778)]),
        ("small 09-01, large 10-11", {("small", "tokens"): 30_000, ("large", "tokens"): 10_000},
         []),
        # what is used under a plan without a maximum lies outside
        ("small 09-01, open 10-11", {("small", "tokens"): 12_000, ("open", "tokens"): 90_000},
         [("small", -2_000)]),
        ("small 10-01 .. 10-11", {("small", "tokens"): 12_000}, [("small", -2_000)]),
        ("open 09-01", {("open", "tokens"): 10**9}, []),
        # a correction below zero counts, and is not reduced
        ("small 09-01", {("small", "tokens"): 40_000, ("small", "calls"): -5_000},
         [("small", -4_000)]),
    ],
)  # fmt: skip
def test_usage_is_capped_by_its_plans(
    plans: str, usage: dict[tuple[str, str], int], lines: list[tuple[str, int]]
) -> None:
    assert capped(a_case(plans, usage)) == lines


def test_a_plan_that_is_uncapped_for_a_part_is_uncapped() -> None:
    case = a_case("small 09-01, small 10-11", {("small", "tokens"): 90_000})
    later = replace(case.subscription.segments[1], catalog_version=2)
    segments = (case.subscription.segments[0], later)
    assert capped(replace(case, subscription=replace(case.subscription, segments=segments))) == []


@pytest.mark.parametrize(
    ("plans", "usage", "lines"),
    [
        ("small 09-01", {}, [("small", 3_100)]),
        ("small 09-01", {("small", "tokens"): 3_099}, [("small", 1)]),
        ("small 09-01", {("small", "tokens"): 3_100}, []),
        ("small 10-31", {}, [("small", 100)]),
        ("small 09-01, large 10-11", {("small", "tokens"): 700}, [("large", 4_500)]),
        ("small 09-01, open 10-11", {("open", "tokens"): 90_000}, [("small", 1_000)]),
        ("open 09-01", {}, []),
        ("small 09-01", {("small", "tokens"): -100}, [("small", 3_200)]),
    ],
)
def test_what_is_missing_to_the_minimum_is_charged(
    plans: str, usage: dict[tuple[str, str], int], lines: list[tuple[str, int]]
) -> None:
    assert raised(a_case(plans, usage)) == lines


@pytest.mark.parametrize("phase", ["trial", "paused"])
def test_nothing_is_promised_or_capped_in_a_trial_or_a_pause(phase: Phase) -> None:
    case = a_case("small 09-01", {("small", "tokens"): 90_000}, phase)
    assert (capped(case), raised(a_case("small 09-01", {}, phase))) == ([], [])
    later = a_case("small 09-01, small 10-22", {}, phase)
    assert raised(later) == [("small", 1_000)]


def test_who_pays_by_the_year_has_committed_already_and_is_capped_alike() -> None:
    assert raised(a_case("small 09-01", {}, interval="year")) == []
    yearly = a_case("small 09-01", {("small", "tokens"): 31_001}, interval="year")
    assert capped(yearly) == [("small", -1)]
