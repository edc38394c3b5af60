"""By which limits one partition judges: entitlements and their changes, case by case."""

import msgspec
import pytest

from schemas.quota import Cause
from tests.unit.streams.builders import (
    NOON,
    NOON_MS,
    a_record,
    a_shard,
    an_event,
    entitled,
    limits,
    rows,
    told,
)
from tests.unit.streams.counting.test_shard import MID_OCTOBER, OCTOBER, tokens


def test_the_entry_in_force_at_the_events_time_judges() -> None:
    shard = a_shard()
    shard.apply_entitlements(
        entitled(1, {OCTOBER: limits(100, 100), MID_OCTOBER: limits(500, 150)}), NOON_MS
    )
    shard.apply(
        [
            a_record(0, an_event(1, 90)),
            a_record(1, an_event(2, 350, time=MID_OCTOBER)),
            a_record(2, an_event(3, 1, time="2026-10-15T23:59:59.999Z")),
        ]
    )
    assert told(shard.changes().crossings) == [
        "alert 80% at 80, used 90",
        "alert 80% at 400, used 440",
        "alert 100% at 100, used 441",
        "hard 100% at 100, used 441",
        "alert 120% at 120, used 441",
    ]


def test_before_the_first_entry_the_default_plan_judges() -> None:
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {MID_OCTOBER: limits(500)}), NOON_MS)
    shard.apply([a_record(0, an_event(1, 80))])
    assert told(shard.changes().crossings) == ["alert 80% at 80, used 80"]


def test_a_lower_limit_is_told_at_once_with_the_change_as_its_cause() -> None:
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {OCTOBER: limits(1000)}), NOON_MS)
    shard.apply([a_record(0, an_event(1, 300))])
    assert shard.changes().crossings == []
    shard.apply_entitlements(entitled(2, {OCTOBER: limits(200, 150)}), NOON_MS)
    changes = shard.changes()
    assert told(changes.crossings) == [
        "alert 80% at 160, used 300",
        "alert 100% at 200, used 300",
        "alert 120% at 240, used 300",
        "hard 150% at 300, used 300",
    ]
    assert {c.cause for c in changes.crossings} == {Cause("entitlements", "2", OCTOBER)}
    state = rows(changes.rows)["acme", "tokens", "2026-10"]
    assert (state.limit, state.decision, state.entitlement_version) == ("300", "deny", 2)
    assert state.position == 1


def test_a_raised_limit_is_a_new_fact_when_it_is_reached() -> None:
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {OCTOBER: limits(100, 100, 100)}), NOON_MS)
    shard.apply([a_record(0, an_event(1, 100))])
    first = shard.changes().crossings
    shard.apply_entitlements(entitled(2, {OCTOBER: limits(200, 100, 100)}), NOON_MS)
    shard.apply([a_record(1, an_event(2, 99)), a_record(2, an_event(3, 1))])
    second = shard.changes().crossings
    assert told(second) == ["alert 100% at 200, used 200", "hard 100% at 200, used 200"]
    assert not {c.id for c in first} & {c.id for c in second}
    assert {c.entitlement_version for c in second} == {2}


def test_a_limit_that_comes_back_is_not_told_again() -> None:
    shard = a_shard()
    for version, pool in enumerate([100, 200, 100], start=1):
        shard.apply_entitlements(entitled(version, {OCTOBER: limits(pool, 100)}), NOON_MS)
        shard.apply([a_record(version, an_event(version, 50))])
    assert told(shard.changes().crossings).count("hard 100% at 100, used 100") == 1


def test_a_lower_version_is_ignored() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, 50))])
    shard.apply_entitlements(entitled(5, {OCTOBER: limits(1000, 100)}), NOON_MS)
    shard.apply_entitlements(entitled(4, {OCTOBER: limits(10, 100)}), NOON_MS)
    state = tokens(shard)
    assert (state.limit, state.entitlement_version) == ("1000", 5)


def test_a_version_that_judged_already_tells_nothing_after_a_restart() -> None:
    changed = entitled(1, {OCTOBER: limits(1000), MID_OCTOBER: limits(10, 100)})
    before = a_shard()
    before.apply_entitlements(changed, NOON_MS)
    before.apply([a_record(0, an_event(1, 50))])
    after = a_shard()
    for key, value in before.changes().rows:
        after.restore(key, value)
    after.apply_entitlements(changed, NOON_MS + 30 * 86_400_000)
    assert not after.has_changes


def test_late_usage_of_an_earlier_plan_does_not_turn_the_decision_back() -> None:
    shard = a_shard()
    shard.apply_entitlements(
        entitled(1, {OCTOBER: limits(100, 100), NOON: limits(1000, 100)}), NOON_MS
    )
    shard.apply([a_record(0, an_event(1, 150)), a_record(1, an_event(2, 1, time=OCTOBER))])
    state = tokens(shard)
    assert (state.used, state.limit, state.decision) == ("151", "1000", "allow")


def test_a_pool_of_nothing_denies_and_alerts_nobody() -> None:
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {OCTOBER: limits(0, 100)}), NOON_MS)
    shard.apply([a_record(0, an_event(1, 5))])
    changes = shard.changes()
    assert changes.crossings == []
    assert rows(changes.rows)["acme", "tokens", "2026-10"].decision == "deny"


def test_a_meter_without_limits_is_allowed_for_ever() -> None:
    shard = a_shard()
    shard.apply([a_record(n, an_event(n, 0)) for n in range(500)])
    state = rows(shard.changes().rows)["acme", "calls", "2026-10"]
    assert (state.used, state.limit, state.decision) == ("500", None, "allow")


def test_unreadable_entitlements_change_nothing() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, 50))])
    broken = entitled(1, {OCTOBER: limits(10), NOON: limits(10)})
    broken = msgspec.structs.replace(broken, timeline=broken.timeline[::-1])
    with pytest.raises(ValueError, match="do not rise"):
        shard.apply_entitlements(broken, NOON_MS)
    assert tokens(shard).entitlement_version == 0
