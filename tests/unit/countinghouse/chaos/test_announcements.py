"""What was announced: each kind of untruth is told, by name."""

import json
from dataclasses import replace
from typing import Any

import pytest

from countinghouse.chaos import announcements
from countinghouse.chaos.announcements import Announced, Timelines
from countinghouse.chaos.prices import ALERTS, EXCEEDED, MICRO
from countinghouse.chaos.topics import Read
from countinghouse.chaos.truth import Announcement, CounterKey, Fact, Tally, fact_id
from countinghouse.chaos.windows import instant_ms

KEY = CounterKey("acme", "calls", "billing_period", "2026-11-01T00:00:00Z")
NOW = instant_ms("2026-11-25T12:00:00Z")
BEFORE, CHANGED, AFTER = (f"2026-11-25T{hour}:00:00Z" for hour in ("08", "10", "11"))


def entry(begin: str, pool: int) -> dict[str, Any]:
    """A pool with an alert at 50 % and a hard limit at 100 %."""
    limits = {
        "included": str(pool),
        "thresholds": [{"percent": 50, "at": str(pool // 2)}],
        "hard": {"percent": 100, "at": str(pool)},
    }
    return {"from": begin, "meters": {"calls": limits}}


def record(message: dict[str, Any]) -> Read:
    return Read(0, 0, 0, None, json.dumps(message).encode(), {})


def the_timelines() -> Timelines:
    first = entry("2026-01-01T00:00:00Z", 10)
    second = entry(CHANGED, 40)
    versions = {1: [first], 2: [first, second]}
    return Timelines(
        [record({"tenant": "acme", "version": v, "timeline": t}) for v, t in versions.items()]
    )


def an_alert(percent: int, at: str, used: str, cause: str = "a", **changed: Any) -> Announced:
    fact = Fact(ALERTS, fact_id(KEY, at, percent))
    told = Announced(fact, KEY, percent, at, used, 1, ("s", cause), BEFORE)
    return replace(told, **changed)


def a_limit(at: str, used: str, cause: str = "b") -> Announced:
    fact = Fact(EXCEEDED, fact_id(KEY, at, 100))
    return Announced(fact, KEY, 100, at, used, 1, ("s", cause), BEFORE)


HALF, ALL = an_alert(50, "5", "6"), a_limit("10", "12")
BY_CHANGE = replace(
    an_alert(50, "20", "25", version=2, cause_time=CHANGED), cause=("entitlements", "2")
)
ALL_TOLD = [HALF, ALL, BY_CHANGE]
HISTORY = {("s", "a"): 6 * MICRO, ("s", "b"): 12 * MICRO, ("s", "c"): 25 * MICRO}


def verdict(found: list[Announced]) -> str:
    tallies = {KEY: Tally(value=25 * MICRO, history=HISTORY)}
    return "\n".join(announcements.changing(tallies, the_timelines(), found, NOW).differences)


def test_what_is_true_and_complete_is_clean() -> None:
    assert verdict(ALL_TOLD) == ""


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (replace(HALF, fact=Fact(ALERTS, "0" * 32)), "wrong id"),
        (replace(HALF, version=9), "unknown version"),
        (an_alert(50, "7", "8"), "no such step then"),
        (an_alert(50, "20", "25", "c"), "no such step then"),  # version 1 had no such pool
        (an_alert(50, "20", "25", "c", version=2), "no such step then"),  # nor version 2 by then
        (replace(HALF, fact=Fact(EXCEEDED, HALF.fact.id)), "no such step then"),
        (replace(HALF, used="7"), "wrong use"),
        (replace(HALF, cause=("s", "nobody")), "wrong use"),
        (replace(BY_CHANGE, cause=("entitlements", "1")), "wrong use"),
        (replace(BY_CHANGE, used="24"), "wrong use"),
        (replace(ALL, used="6", cause=("s", "a")), "not reached"),
        (replace(HALF, key=KEY._replace(meter="tokens")), "surplus"),
    ],
)
def test_an_untruth_is_told(wrong: Announced, told: str) -> None:
    assert told in verdict([*ALL_TOLD, wrong])


def test_a_step_of_the_newest_version_that_was_not_announced_is_told() -> None:
    assert "missing: acme/calls/billing_period/2026-11-01T00:00:00Z reached 50% (20)" in verdict(
        [HALF, ALL]
    )


def test_a_step_of_an_earlier_version_need_not_be_announced() -> None:
    assert verdict([BY_CHANGE]) == ""


def test_an_announcement_twice_is_told() -> None:
    assert announcements.once(ALL_TOLD).is_ok
    assert "2 times" in "\n".join(announcements.once([*ALL_TOLD, HALF]).differences)


def test_the_default_plan_is_in_force_where_nothing_was_published() -> None:
    nothing = Timelines([])
    assert nothing.knows("acme", 0)
    assert ("150", 100, EXCEEDED) in nothing.steps(KEY, 0, NOW)


CONSTANT = {HALF.fact: Announcement(KEY, 50, "5", "6", ("s", "a"))}


def test_where_plans_are_constant_exactly_the_truth_is_clean() -> None:
    assert announcements.constant(CONSTANT, frozenset(), [HALF]).is_ok
    assert announcements.constant(CONSTANT, frozenset({"other"}), [HALF]).is_ok


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "missing"),
        ([HALF, ALL], "surplus"),
        ([replace(HALF, used="7")], "wrong"),
        ([replace(HALF, cause=("s", "b"))], "wrong"),
    ],
)
def test_where_plans_are_constant_any_difference_is_told(found: list[Announced], told: str) -> None:
    verdict = announcements.constant(CONSTANT, frozenset(), found)
    assert told in "\n".join(verdict.differences)


def test_announcements_are_read_from_their_json() -> None:
    window = {"kind": KEY.kind, "start": KEY.start, "end": "2026-12-01T00:00:00Z"}
    common = {"tenant": "acme", "meter": "calls", "window": window, "used": "12"}
    cause = {"source": "s", "id": "b", "time": BEFORE}
    facts = {"id": ALL.fact.id, "threshold_percent": 100, "entitlement_version": 1, "cause": cause}
    message = {**common, **facts, "limit": "10"}
    assert announcements.read(EXCEEDED, [record(message)]) == [ALL]
