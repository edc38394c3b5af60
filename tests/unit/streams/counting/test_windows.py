"""Tumbling windows: their bounds, and what is counted in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.entitlement import MeterEntitlement, QuotaEntitlement, Threshold
from schemas.event import EARLIEST_MS, LATEST_MS
from schemas.period import format_instant, from_ms, parse_instant
from schemas.quota import WINDOW_KINDS, QuotaExceeded, UsageAlert, WindowKind
from streams.counting.shard import Changes
from streams.counting.windows import read_span, span_of
from tests.unit.streams.builders import (
    NOON,
    NOON_MS,
    a_record,
    a_shard,
    a_wide_catalog,
    an_event,
    entitled,
    limits,
    told,
    windows,
)

OCTOBER = "2026-10-01T00:00:00Z"
instants = st.integers(EARLIEST_MS, LATEST_MS - 1)


@pytest.mark.parametrize(
    ("kind", "anchor_day", "time", "start", "end"),
    [
        ("hour", 1, "2026-10-05T12:59:59.999Z", "2026-10-05T12:00:00Z", "2026-10-05T13:00:00Z"),
        ("day", 1, "2026-10-05T00:00:00Z", "2026-10-05T00:00:00Z", "2026-10-06T00:00:00Z"),
        ("week", 1, "2026-10-04T23:59:59.999Z", "2026-09-28T00:00:00Z", "2026-10-05T00:00:00Z"),
        ("week", 1, "2026-10-05T00:00:00Z", "2026-10-05T00:00:00Z", "2026-10-12T00:00:00Z"),
        ("week", 1, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"),
        ("billing_period", 1, "2026-10-31T23:59:59.999Z", OCTOBER, "2026-11-01T00:00:00Z"),
        ("billing_period", 15, "2026-10-15T00:00:00Z", "2026-10-15T00:00:00Z",
         "2026-11-15T00:00:00Z"),
        ("billing_period", 15, "2026-10-14T23:59:59.999Z", "2026-09-15T00:00:00Z",
         "2026-10-15T00:00:00Z"),
        ("billing_period", 31, "2026-02-27T00:00:00Z", "2026-01-31T00:00:00Z",
         "2026-02-28T00:00:00Z"),
        ("billing_period", 31, "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z",
         "2026-03-31T00:00:00Z"),
        ("billing_period", 30, "2028-02-29T12:00:00Z", "2028-02-29T00:00:00Z",
         "2028-03-30T00:00:00Z"),
    ],
)  # fmt: skip
def test_a_window_by_its_kind(
    kind: WindowKind, anchor_day: int, time: str, start: str, end: str
) -> None:
    span = span_of(kind, parse_instant(time), anchor_day)
    assert (span.window.start, span.window.end) == (start, end)


@given(instants, st.sampled_from(WINDOW_KINDS), st.integers(1, 31))
def test_windows_hold_their_instants_and_follow_each_other(
    instant_ms: int, kind: WindowKind, anchor_day: int
) -> None:
    span = span_of(kind, instant_ms, anchor_day)
    assert span.start_ms <= instant_ms < span.end_ms
    assert span_of(kind, span.end_ms, anchor_day).start_ms == span.end_ms
    assert span_of(kind, span.start_ms - 1, anchor_day).end_ms == span.start_ms
    assert read_span(span.window) == span


@given(instants)
def test_weeks_begin_on_mondays_as_iso_says(instant_ms: int) -> None:
    span = span_of("week", instant_ms, 1)
    assert from_ms(span.start_ms).isocalendar()[:2] == from_ms(instant_ms).isocalendar()[:2]
    assert from_ms(span.start_ms).isoweekday() == 1


def test_an_event_is_counted_in_each_window_that_a_plan_names() -> None:
    shard = a_shard(catalog=a_wide_catalog())
    shard.apply(
        [
            a_record(0, an_event(1, 5)),
            a_record(1, an_event(2, 2, time="2026-10-05T13:00:00Z")),
            a_record(2, an_event(3, 1)),  # late: it goes to its own hour
        ]
    )
    used = windows(shard.changes().rows)
    assert {key: used[key] for key in used if key[0] == "tokens"} == {
        ("tokens", "billing_period", OCTOBER): "8",
        ("tokens", "hour", NOON): "6",
        ("tokens", "hour", "2026-10-05T13:00:00Z"): "2",
        ("tokens", "day", "2026-10-05T00:00:00Z"): "8",
        ("tokens", "week", "2026-10-05T00:00:00Z"): "8",
    }
    assert {key[1] for key in used if key[0] == "peak"} == {"billing_period", "day"}


def test_meters_that_do_not_add_up_follow_their_own_rule() -> None:
    shard = a_shard(catalog=a_wide_catalog())
    amounts = [(NOON, -7), ("2026-10-05T14:00:00Z", -3), ("2026-10-05T13:00:00Z", -9)]
    shard.apply([a_record(n, an_event(n, amount, time=t)) for n, (t, amount) in enumerate(amounts)])
    used = windows(shard.changes().rows)
    assert used["peak", "billing_period", OCTOBER] == "-3"
    assert used["level", "billing_period", OCTOBER] == "-3"
    assert "mean" not in {meter for meter, _, _ in used}


def test_at_equal_times_the_later_record_is_the_latest() -> None:
    shard = a_shard(catalog=a_wide_catalog())
    shard.apply([a_record(0, an_event(1, 5)), a_record(1, an_event(2, 4))])
    assert windows(shard.changes().rows)["level", "billing_period", OCTOBER] == "4"


def test_a_quota_of_an_hour_is_told_beside_the_pool() -> None:
    quota = QuotaEntitlement("10", (Threshold(80, "8"),), hard=Threshold(100, "10"))
    meter = MeterEntitlement("1000", windows={"hour": quota})
    shard = a_shard(catalog=a_wide_catalog())
    shard.apply_entitlements(entitled(1, {OCTOBER: meter}), NOON_MS)
    shard.apply([a_record(n, an_event(n, 9)) for n in range(2)])
    crossings = shard.changes().crossings
    assert told(crossings) == ["alert 80% at 8, used 9", "hard 100% at 10, used 18"]
    assert {(c.window.kind, c.window.start) for c in crossings} == {("hour", NOON)}


def tokens_row(changes: Changes) -> bytes | None:
    return next(value for key, value in changes.rows if b"tokens" in key)


def test_a_soft_limit_is_told_and_denies_nothing() -> None:
    meter = MeterEntitlement("10", soft=Threshold(100, "10"))
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {OCTOBER: meter}), NOON_MS)
    shard.apply([a_record(0, an_event(1, 10))])
    changes = shard.changes()
    [alert] = changes.crossings
    assert isinstance(alert, UsageAlert)
    assert alert.is_soft_limit
    assert b'"decision":"warn"' in (tokens_row(changes) or b"")


@pytest.mark.parametrize(("used", "decision"), [(9, "allow"), (10, "warn"), (11, "deny")])
def test_a_grace_in_per_cent_denies_later(used: int, decision: str) -> None:
    meter = MeterEntitlement("10", hard=Threshold(100, "10"), deny_at="11")
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {OCTOBER: meter}), NOON_MS)
    shard.apply([a_record(0, an_event(1, used))])
    changes = shard.changes()
    assert len(changes.crossings) == (used >= 10)
    assert b'"decision":"%b"' % decision.encode() in (tokens_row(changes) or b"")


def test_a_grace_in_time_counts_from_the_arrival_of_what_reached_the_limit() -> None:
    meter = MeterEntitlement("10", hard=Threshold(100, "10"), deny_after_s=3600)
    shard = a_shard()
    shard.apply_entitlements(entitled(1, {OCTOBER: meter}), NOON_MS)
    shard.apply([a_record(7, an_event(1, 10)), a_record(8, an_event(2, 10))])
    changes = shard.changes()
    [exceeded] = [c for c in changes.crossings if isinstance(c, QuotaExceeded)]
    assert exceeded.deny_from == format_instant(NOON_MS + 7 + 3_600_000)
    again = a_shard()
    for key, value in changes.rows:
        again.restore(key, value)
    again.apply_entitlements(entitled(1, {OCTOBER: meter}), NOON_MS)
    again.start_at(9)
    again.apply([a_record(9, an_event(3, 1))])
    assert exceeded.deny_from.encode() in (tokens_row(again.changes()) or b"")


def test_a_period_from_any_day_is_made_of_the_days_counted_already() -> None:
    shard = a_shard(catalog=a_wide_catalog(anniversary=True))
    times = ["2026-09-20T00:00:00Z", "2026-10-05T12:00:00Z", "2026-10-15T00:00:00Z"]
    shard.apply([a_record(n, an_event(n, 10**n, time=time)) for n, time in enumerate(times)])
    first = shard.changes().rows
    shard.apply_entitlements(entitled(1, {"2026-09-15T00:00:00Z": limits(5)}, anchor_day=15), 0)
    changes = shard.changes()
    used = windows([*first, *changes.rows])
    assert {key[2]: used[key] for key in used if key[:2] == ("tokens", "billing_period")} == {
        "2026-09-15T00:00:00Z": "11",
        "2026-10-15T00:00:00Z": "100",
    }
    assert {c.window.start for c in changes.crossings if c.meter == "tokens"} == {
        "2026-09-15T00:00:00Z",
        "2026-10-15T00:00:00Z",
    }


@given(
    st.permutations(range(6)),
    st.integers(0, 6),
    st.sampled_from([1, 3, 15, 31]),
    st.sampled_from(["2026-09-15T00:00:00Z", "2026-10-03T10:00:00Z", "2026-10-16T00:00:00Z"]),
)
def test_when_an_anchor_becomes_known_does_not_matter(
    order: list[int], known_at: int, day: int, start: str
) -> None:
    """The counters are those of a count that knew the last timeline from the beginning."""
    times = ["2026-09-20", "2026-10-02", "2026-10-03", "2026-10-15", "2026-10-16", "2026-11-14"]
    log = [
        a_record(n, an_event(n, i - 2, time=f"{times[i]}T11:00:00Z")) for n, i in enumerate(order)
    ]
    change = entitled(1, {start: limits(3, 100)}, anchor_day=day)
    used = []
    for known in (0, known_at):
        shard = a_shard(catalog=a_wide_catalog(anniversary=True))
        shard.apply(log[:known])
        before = dict(shard.changes().rows)
        shard.apply_entitlements(change, NOON_MS)
        shard.apply(log[known:])
        used.append(windows((before | dict(shard.changes().rows)).items()))
    assert used[0] == used[1]
