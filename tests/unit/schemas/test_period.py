"""Half-open periods, months, instants."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import EARLIEST_MS, LATEST_MS
from schemas.period import (
    BillingPeriod,
    add_months,
    format_instant,
    from_ms,
    parse_instant,
    to_ms,
)

OCTOBER = BillingPeriod.month("2026-10")
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def test_a_month_is_half_open() -> None:
    assert format_instant(OCTOBER.start_ms) == "2026-10-01T00:00:00Z"
    assert format_instant(OCTOBER.end_ms) == "2026-11-01T00:00:00Z"
    assert OCTOBER.contains(OCTOBER.start_ms)
    assert OCTOBER.contains(OCTOBER.end_ms - 1)
    assert not OCTOBER.contains(OCTOBER.end_ms)
    assert not OCTOBER.contains(OCTOBER.start_ms - 1)


@pytest.mark.parametrize(
    ("key", "days"), [("2026-02", 28), ("2028-02", 29), ("2026-04", 30), ("2026-12", 31)]
)
def test_a_month_has_its_days_and_its_key(key: str, days: int) -> None:
    month = BillingPeriod.month(key)
    assert month.duration_ms == days * 86_400_000
    assert month.key == key


@given(MOMENTS)
def test_every_instant_is_in_exactly_its_month(moment: datetime) -> None:
    instant_ms = to_ms(moment)
    month = BillingPeriod.month_of(instant_ms)
    assert month.contains(instant_ms)
    following = BillingPeriod.month_of(month.end_ms)
    assert following.start_ms == month.end_ms
    assert not following.contains(instant_ms)


@pytest.mark.parametrize(
    "key", ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "", "october"]
)
def test_what_is_no_month_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not a month; write it like 2026-10"):
        BillingPeriod.month(key)


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5)])
def test_a_period_ends_after_it_starts(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        BillingPeriod(start, end)


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-01-15", -1, "2025-12-15"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-10-05", 0, "2026-10-05"),
    ],
)
def test_months_are_counted_from_the_anchor_and_keep_its_day(
    anchor: str, months: int, expected: str
) -> None:
    moved = add_months(datetime.fromisoformat(anchor).replace(tzinfo=UTC), months)
    assert moved.date().isoformat() == expected


@given(MOMENTS)
def test_instants_are_written_and_read_back(moment: datetime) -> None:
    instant_ms = to_ms(moment)
    assert parse_instant(format_instant(instant_ms)) == instant_ms
    assert from_ms(instant_ms) <= moment < from_ms(instant_ms + 1)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-10-01T02:00:00+02:00", "2026-10-01T00:00:00Z"),
        ("2026-10-01T00:00:00.250Z", "2026-10-01T00:00:00.250Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_instants_are_written_in_utc(text: str, written: str) -> None:
    assert format_instant(parse_instant(text)) == written


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        parse_instant("2026-10-01T00:00:00")


def test_a_zone_does_not_change_the_instant() -> None:
    moment = datetime(2026, 10, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert to_ms(moment) == OCTOBER.start_ms


@given(st.integers(EARLIEST_MS, LATEST_MS - 1), st.integers(1, 31))
def test_periods_from_a_day_hold_their_instants_and_follow_each_other(
    instant_ms: int, anchor_day: int
) -> None:
    period = BillingPeriod.around(instant_ms, anchor_day)
    assert period.contains(instant_ms)
    assert BillingPeriod.around(period.end_ms, anchor_day).start_ms == period.end_ms
    assert BillingPeriod.around(instant_ms, 1) == BillingPeriod.month_of(instant_ms)
