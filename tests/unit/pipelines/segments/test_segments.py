"""How a subscription cuts a month, and that usage finds its part again by number."""

from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given

from pipelines.segments.segments import bounds, parts, unbroken
from schemas.subscription import GOOD_CARD, Phase, PlanSegment, Subscription
from tests.builders import OCTOBER, a_subscription, at
from tests.strategies import instants, subscriptions


@pytest.mark.parametrize(
    ("plans", "cuts", "numbered"),
    [
        ("pro 09-01", ["10-01", "11-01"], [(1, "pro")]),
        ("pro 10-11", ["10-11", "11-01"], [(1, "pro")]),
        ("pro 09-01 .. 10-11", ["10-01", "10-11"], [(1, "pro")]),
        ("free 09-01, pro 10-16", ["10-01", "10-16", "11-01"], [(1, "free"), (2, "pro")]),
        (
            "free 10-02, pro 10-16 .. 10-20, pro 10-25",
            ["10-02", "10-16", "10-20", "10-25", "11-01"],
            [(1, "free"), (2, "pro"), (4, "pro")],
        ),
        ("pro 11-01", [], []),
        ("pro 08-01 .. 10-01", [], []),
    ],
)
def test_parts_are_numbered_by_the_bounds_before_them(
    plans: str, cuts: list[str], numbered: list[tuple[int, str]]
) -> None:
    subscription = a_subscription(plans)
    assert bounds(subscription, OCTOBER) == tuple(at(cut) for cut in cuts)
    assert [(part.number, part.plan) for part in parts(subscription, OCTOBER)] == numbered


@given(subscriptions(), instants())
def test_an_instant_belongs_to_the_part_that_its_number_names(
    subscription: Subscription, instant_ms: int
) -> None:
    number = bisect_right(bounds(subscription, OCTOBER), instant_ms)
    named = [part for part in parts(subscription, OCTOBER) if part.number == number]
    holding = [part for part in parts(subscription, OCTOBER) if part.period.contains(instant_ms)]
    assert named == holding


@given(subscriptions())
def test_runs_are_all_parts_and_have_no_gap(subscription: Subscription) -> None:
    found = parts(subscription, OCTOBER)
    runs = list(unbroken(found))
    assert [part for run in runs for part in run] == found
    for run in runs:
        assert all(a.period.end_ms == b.period.start_ms for a, b in pairwise(run))
        assert len({part.is_trial for part in run}) == 1
    for run, later in pairwise(runs):
        is_gap = run[-1].period.end_ms < later[0].period.start_ms
        assert is_gap or run[-1].is_trial != later[0].is_trial


def phased(*phases: tuple[str, Phase]) -> Subscription:
    """One plan, pro, in phases that begin on days of October."""
    starts = [at(day) for day, _ in phases]
    ends: list[int | None] = [*starts[1:], None]
    segments = [
        PlanSegment("pro", 1, start, end, phase=phase)
        for (_, phase), start, end in zip(phases, starts, ends, strict=True)
    ]
    return Subscription("sub_acme", "acme", "USD", GOOD_CARD, tuple(segments))


def test_a_pause_is_a_gap() -> None:
    paused = phased(("10-01", "active"), ("10-11", "paused"), ("10-21", "active"))
    gapped = a_subscription("pro 10-01 .. 10-11, pro 10-21")
    assert bounds(paused, OCTOBER) == bounds(gapped, OCTOBER)
    assert parts(paused, OCTOBER) == parts(gapped, OCTOBER)


def test_a_trial_is_a_run_of_its_own() -> None:
    tried = phased(("10-01", "trial"), ("10-15", "active"))
    assert [[p.is_trial for p in run] for run in unbroken(parts(tried, OCTOBER))] == [
        [True],
        [False],
    ]
