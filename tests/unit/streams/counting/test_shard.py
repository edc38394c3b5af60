"""What one partition counts and announces, case by case."""

import msgspec
import pytest

from schemas.period import parse_instant
from schemas.quota import Cause, QuotaExceeded, QuotaState, state_key
from streams.counting.shard import Shard
from tests.unit.streams.builders import (
    NOON,
    NOON_MS,
    ARecord,
    a_record,
    a_shard,
    an_event,
    entitled,
    limits,
    rows,
    told,
)

OCTOBER = "2026-10-01T00:00:00Z"
MID_OCTOBER = "2026-10-16T00:00:00Z"


def tokens(shard: Shard, tenant: str = "acme") -> QuotaState:
    """The tenant's October row of tokens in the changes that are due."""
    return rows(shard.changes().rows)[tenant, "tokens", "2026-10"]


def test_usage_adds_up_by_tenant_meter_and_month_of_the_event() -> None:
    shard = a_shard()
    shard.apply(
        [
            a_record(0, an_event(1, 3)),
            a_record(1, an_event(2, 4.5), an_event(3, 1)),
            a_record(2, an_event(4, 7, time="2026-11-01T00:00:00Z")),
            a_record(3, an_event(1, 9, tenant="zen")),
        ]
    )
    used = {key: state.used for key, state in rows(shard.changes().rows).items()}
    assert used == {
        ("acme", "tokens", "2026-10"): "8.5",
        ("acme", "calls", "2026-10"): "3",
        ("acme", "tokens", "2026-11"): "7",
        ("acme", "calls", "2026-11"): "1",
        ("zen", "tokens", "2026-10"): "9",
        ("zen", "calls", "2026-10"): "1",
    }


def test_a_row_says_all_that_a_gate_needs() -> None:
    shard = a_shard(epoch=3)
    shard.apply([a_record(41, an_event(1, 85))])
    changes = shard.changes()
    assert changes.position == 42
    assert state_key("acme", "tokens", "billing_period", OCTOBER) in dict(changes.rows)
    state = rows(changes.rows)["acme", "tokens", "2026-10"]
    assert (state.used, state.limit, state.decision) == ("85", "100", "warn")
    assert (state.window.start, state.window.end) == (OCTOBER, "2026-11-01T00:00:00Z")
    assert (state.resets_at, state.epoch, state.position) == ("2026-11-01T00:00:00Z", 3, 42)
    assert (state.entitlement_version, len(state.announced)) == (0, 1)


def test_a_row_says_up_to_where_it_counts() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, 1)), a_record(1, an_event(1, 1, tenant="zen"))])
    states = rows(shard.changes().rows)
    assert states["acme", "tokens", "2026-10"].position == 2
    assert states["zen", "tokens", "2026-10"].position == 2


@pytest.mark.parametrize(
    ("used", "decision"),
    [(79, "allow"), (80, "warn"), (99.999999, "warn"), (100, "deny"), (1000, "deny")],
)
def test_the_decision_turns_at_exactly_the_threshold(used: float, decision: str) -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, used))])
    assert tokens(shard).decision == decision


def test_each_threshold_is_told_once_when_it_is_reached() -> None:
    shard = a_shard()
    shard.apply([a_record(n, an_event(n, 20)) for n in range(8)])
    assert told(shard.changes().crossings) == [
        "alert 80% at 80, used 80",
        "alert 100% at 100, used 100",
        "hard 100% at 100, used 100",
        "alert 120% at 120, used 120",
    ]


def test_a_crossing_names_its_cause_and_when_it_was_sent() -> None:
    shard = a_shard()
    sent = b"1790000000123"
    shard.apply([a_record(0, an_event(1, 79)), a_record(1, an_event("x", 21), sent=sent)])
    exceeded = next(c for c in shard.changes().crossings if isinstance(c, QuotaExceeded))
    assert exceeded.cause == Cause("gateway", "x", NOON, 1_790_000_000_123)
    assert (exceeded.limit, exceeded.included, exceeded.entitlement_version) == ("100", "100", 0)


@pytest.mark.parametrize("sent", [None, b"9" * 5000, b"soon"])
def test_a_send_time_that_is_none_is_no_part_of_the_cause(sent: bytes | None) -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event("x", 100))._replace(headers=(("sent-at", sent),))])
    causes = {crossing.cause for crossing in shard.changes().crossings}
    assert causes == {Cause("gateway", "x", NOON)}


def test_a_correction_lowers_the_counter_and_tells_nothing_twice() -> None:
    shard = a_shard()
    shard.apply([a_record(n, an_event(n, amount)) for n, amount in enumerate([90, -20, 15])])
    changes = shard.changes()
    assert told(changes.crossings) == ["alert 80% at 80, used 90"]
    assert rows(changes.rows)["acme", "tokens", "2026-10"].used == "85"


def test_a_grace_goes_on_over_a_restart_while_a_correction_lies_below_the_limit() -> None:
    graced = msgspec.structs.replace(limits(100, 100), deny_after_s=7 * 86_400)
    published = entitled(1, {OCTOBER: graced})
    before = a_shard()
    before.apply_entitlements(published, NOON_MS)
    before.apply([a_record(0, an_event(0, 100)), a_record(1, an_event(1, -10))])
    written = before.changes().rows
    state = rows(written)["acme", "tokens", "2026-10"]
    assert (state.decision, state.deny_from) == ("warn", None)
    after = a_shard()
    for key, value in written:
        after.restore(key, value)
    after.start_at(2)
    after.apply_entitlements(published, NOON_MS)
    after.apply([a_record(2, an_event(2, 10))])
    state = tokens(after)
    assert (state.decision, state.deny_from) == ("deny", "2026-10-12T12:00:00Z")


# Offsets with a window of 10: a repeat is known if its bucket or the one before saw the event.
@pytest.mark.parametrize(
    ("first", "again", "counted"),
    [(0, 0, 1), (0, 9, 1), (0, 10, 1), (0, 19, 1), (0, 20, 2), (9, 19, 1), (9, 20, 2)],
)
def test_a_repeat_is_known_in_its_own_bucket_and_the_next(
    first: int, again: int, counted: int
) -> None:
    shard = a_shard(window=10)
    if first == again:
        shard.apply([a_record(first, an_event("a", 1), an_event("a", 1))])
    else:
        shard.apply([a_record(first, an_event("a", 1)), a_record(again, an_event("a", 1))])
    changes = shard.changes()
    assert (changes.counted, changes.duplicates) == (counted, 2 - counted)


def test_a_repeat_keeps_an_event_known() -> None:
    shard = a_shard(window=10)
    shard.apply([a_record(offset, an_event("a", 1)) for offset in (0, 15, 25, 35)])
    assert tokens(shard).used == "1"


def test_equal_ids_of_two_tenants_are_two_events() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event("a", 1)), a_record(1, an_event("a", 1, tenant="zen"))])
    assert shard.changes().duplicates == 0


def test_what_is_not_admitted_is_no_delivery() -> None:
    shard = a_shard()
    junk = ARecord(0, NOON_MS, b"acme", b"{not json")
    wrong = a_record(1, an_event("a", "seven"))
    mixed = a_record(2, an_event("a", 5), an_event("b", 1, tenant="other"))
    shard.apply([junk, wrong, mixed])
    changes = shard.changes()
    assert (changes.counted, changes.duplicates, changes.rejected) == (1, 0, 3)
    assert rows(changes.rows)["acme", "tokens", "2026-10"].used == "5"


def test_an_event_that_no_meter_reads_is_counted_as_seen() -> None:
    shard = a_shard()
    shard.apply([a_record(n, an_event("a", 1) | {"type": "other"}) for n in range(2)])
    changes = shard.changes()
    assert (changes.rows, changes.counted, changes.duplicates) == ([], 1, 1)


def test_changes_are_handed_out_once() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, 100))])
    assert shard.has_crossings
    assert shard.has_changes
    shard.changes()
    again = shard.changes()
    assert not shard.has_changes
    assert (again.position, again.rows, again.crossings, again.counted) == (1, [], [], 0)


def test_an_offset_seen_before_is_ignored() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, 5)), a_record(0, an_event(2, 5))])
    assert tokens(shard).used == "5"


def test_reading_back_does_not_move_the_position() -> None:
    shard = a_shard(window=10)
    assert shard.start_at(25) == 10
    shard.apply([a_record(10, an_event(1, 5))])
    assert shard.position == 25
    assert not shard.has_changes
    shard.skip_to(30)
    assert shard.position == 30


def test_a_restored_row_goes_on_where_it_was() -> None:
    before = a_shard(epoch=1)
    before.apply([a_record(0, an_event(1, 10**11)), a_record(1, an_event(2, 0.25))])
    written = before.changes()
    after = a_shard(epoch=2)
    for key, value in written.rows:
        after.restore(key, value)
    after.apply([a_record(0, an_event(3, 10**11))])
    changes = after.changes()
    state = rows(changes.rows)["acme", "tokens", "2026-10"]
    assert changes.crossings == []
    assert (state.used, state.epoch, state.position) == ("200000000000.25", 2, 1)


def test_a_meter_that_the_price_list_lost_is_left_alone() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event(1, 5))])
    state = msgspec.structs.replace(tokens(shard), meter="lost")
    after = a_shard()
    key = state_key("acme", "lost", "billing_period", OCTOBER)
    after.restore(key, msgspec.json.encode(state))
    assert not after.has_changes


DAY_MS = 86_400_000
NOVEMBER_MS = parse_instant("2026-11-01T00:00:00Z")
MAX_AGE_MS = 35 * DAY_MS
OVER_MS = NOVEMBER_MS + MAX_AGE_MS + DAY_MS
"""When October's counters go: the oldest event that is admitted then is of November, and a day."""


def a_late_record(offset: int, arrived_ms: int) -> ARecord:
    """An event of December 2nd that arrives at an instant."""
    event = a_record(offset, an_event(offset, 1, time="2026-12-02T00:00:00Z"))
    return event._replace(timestamp=arrived_ms)


def test_a_window_is_dropped_when_no_event_for_it_can_come_any_more() -> None:
    shard = a_shard(max_age_ms=MAX_AGE_MS)
    shard.apply([a_record(0, an_event("a", 5)), a_late_record(1, OVER_MS - 1)])
    kept = rows(shard.changes().rows)
    assert kept["acme", "tokens", "2026-10"].used == "5"
    shard.apply([a_late_record(2, OVER_MS)])
    ended = {key for key, value in shard.changes().rows if value is None}
    assert ended == {
        state_key("acme", meter, "billing_period", OCTOBER) for meter in ("tokens", "calls")
    }


def test_a_window_that_ended_is_not_restored() -> None:
    shard = a_shard(max_age_ms=MAX_AGE_MS)
    shard.apply([a_record(0, an_event("a", 5)), a_late_record(1, OVER_MS)])
    written = shard.changes().rows
    after = a_shard(max_age_ms=None)
    for key, value in written:
        after.restore(key, value)
    after.apply([a_record(2, an_event("b", 1))])
    assert tokens(after).used == "1"


def test_without_a_bound_on_age_every_window_is_kept() -> None:
    shard = a_shard()
    shard.apply([a_record(0, an_event("a", 5)), a_late_record(1, OVER_MS * 2)])
    assert all(value for _, value in shard.changes().rows)
