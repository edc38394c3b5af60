"""What a subscription may be, and what of it lies in a period."""

import pytest
from hypothesis import given

from schemas.subscription import PlanSegment, Subscription
from tests.builders import OCTOBER, a_subscription, at
from tests.strategies import instants, subscriptions


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ([("10-01", "10-01")], "acme: a plan ends before it starts"),
        ([("10-02", "10-01")], "acme: a plan ends before it starts"),
        ([("10-01", "10-05"), ("10-04", None)], "two plans are in force at 2026-10-04T00:00:00Z"),
        ([("10-01", None), ("10-04", None)], "two plans are in force at 2026-10-04T00:00:00Z"),
    ],
)
def test_plans_follow_each_other(segments: list[tuple[str, str | None]], reason: str) -> None:
    plans = tuple(PlanSegment("pro", 1, at(s), at(e) if e else None) for s, e in segments)
    with pytest.raises(ValueError, match=reason):
        Subscription("sub_acme", "acme", "USD", "", plans)


@pytest.mark.parametrize(
    ("start", "end"), [(at("10-01") + 1, None), (at("10-01"), at("10-02") + 1)]
)
def test_plans_change_at_whole_seconds(start: int, end: int | None) -> None:
    with pytest.raises(ValueError, match="plan changes are at whole seconds"):
        Subscription("sub_acme", "acme", "USD", "", (PlanSegment("pro", 1, start, end),))


def test_a_gap_between_plans_is_allowed() -> None:
    subscription = a_subscription("pro 09-01 .. 10-05, free 10-10")
    assert [segment.plan for segment, _ in subscription.parts(OCTOBER)] == ["pro", "free"]


@given(subscriptions(), instants())
def test_parts_are_exactly_the_plans_time_within_the_period(
    subscription: Subscription, instant_ms: int
) -> None:
    in_force = [
        segment
        for segment in subscription.segments
        if segment.starts_ms <= instant_ms
        and (segment.ends_ms is None or instant_ms < segment.ends_ms)
        and OCTOBER.contains(instant_ms)
    ]
    parts = subscription.parts(OCTOBER)
    assert [segment for segment, part in parts if part.contains(instant_ms)] == in_force
    assert all(OCTOBER.start_ms <= p.start_ms < p.end_ms <= OCTOBER.end_ms for _, p in parts)
