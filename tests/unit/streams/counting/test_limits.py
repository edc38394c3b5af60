"""Timelines made ready for comparing."""

import pytest

from pipelines.rating.entitlements import default_entry
from schemas.entitlement import MeterEntitlement, Threshold
from schemas.period import parse_instant
from streams.counting.limits import NEVER, Limits, Timeline
from tests.unit.streams.builders import a_catalog, entitled, limits

OCTOBER, LATER = "2026-10-01T00:00:00Z", "2026-10-16T00:00:00Z"
METERS = ["tokens", "calls"]


def test_the_last_entry_at_or_before_an_instant_is_in_force() -> None:
    timeline = Timeline.of(
        entitled(7, {OCTOBER: limits(10, 100), LATER: limits(20, 100)}),
        default_entry(a_catalog()),
        METERS,
    )
    instants = [parse_instant(OCTOBER) - 1, parse_instant(OCTOBER), parse_instant(LATER) - 1]
    instants += [parse_instant(LATER), parse_instant(LATER) * 2]
    pools = [timeline.at(instant).limits["billing_period"][0].limit for instant in instants]
    assert pools == ["100", "10", "10", "20", "20"]
    assert timeline.version == 7


def test_terms_follow_each_other_without_gaps() -> None:
    timeline = Timeline.of(entitled(1, {OCTOBER: limits(10)}), default_entry(a_catalog()), METERS)
    bounds = [(term.from_ms, term.until_ms) for term in timeline.terms]
    assert bounds == [(-NEVER, parse_instant(OCTOBER)), (parse_instant(OCTOBER), NEVER)]


def test_a_meter_that_is_not_named_has_no_limits() -> None:
    timeline = Timeline.of(entitled(1, {}), default_entry(a_catalog()), METERS)
    calls = timeline.at(0).limits["billing_period"][1]
    assert (calls.decide(10**30), calls.alarm(0), calls.limit) == ("allow", NEVER, None)


@pytest.mark.parametrize(
    ("used", "alarm"), [(0, 80), (79, 80), (80, 100), (100, 120), (120, 150), (150, None)]
)
def test_the_alarm_is_the_next_step_beyond(used: int, alarm: int | None) -> None:
    expected = NEVER if alarm is None else alarm * 10**6
    assert Limits.of(limits(100, 150)).alarm(used * 10**6) == expected


def test_steps_of_a_large_pool_may_be_beyond_what_one_event_may_hold() -> None:
    large = MeterEntitlement("100000000000", (Threshold(120, "120000000000"),))
    assert Limits.of(large).alarm(0) == 120 * 10**15


def test_a_quantity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        Limits.of(MeterEntitlement("1", (Threshold(80, "many"),)))
