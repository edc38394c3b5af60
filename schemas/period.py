"""Half-open time: instants as epoch milliseconds UTC, billing periods as `[start, end)`.

Owns the arithmetic of months. Event time, arrival time, service period and invoice date are four
different fields elsewhere; none of them is computed here.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MONTH_KEY = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_PERIODS = 4096
"""Periods that are remembered: a month's tenants share a few, and dates take long."""


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware datetime, rounded down.

    Raises:
        ValueError: the datetime is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(
            f"{moment} has no time zone; write it in UTC, such as 2026-10-01T00:00:00Z"
        )
    return (moment - EPOCH) // _MILLISECOND


def from_ms(instant_ms: int) -> datetime:
    """The aware UTC datetime of epoch milliseconds."""
    return EPOCH + timedelta(milliseconds=instant_ms)


def parse_instant(text: str) -> int:
    """Read an ISO 8601 time with zone as epoch milliseconds.

    Raises:
        ValueError: not a time, or without a zone.
    """
    return to_ms(datetime.fromisoformat(text))


def format_instant(instant_ms: int) -> str:
    """Write epoch milliseconds as RFC 3339 UTC; whole seconds without a fraction."""
    spec = "milliseconds" if instant_ms % 1000 else "seconds"
    return from_ms(instant_ms).isoformat(timespec=spec).replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, order=True)
class BillingPeriod:
    """A half-open interval that is billed together; bounds in epoch milliseconds UTC."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.start_ms >= self.end_ms:
            raise ValueError("a billing period ends after it starts")

    @classmethod
    def month(cls, key: str) -> "BillingPeriod":
        """The calendar month of a key such as "2026-10".

        Raises:
            ValueError: the key is not a month.
        """
        matched = _MONTH_KEY.fullmatch(key)
        if matched is None:
            raise ValueError(f"{key!r} is not a month; write it like 2026-10")
        first = datetime(int(matched[1]), int(matched[2]), 1, tzinfo=UTC)
        return cls(to_ms(first), to_ms(add_months(first, 1)))

    @classmethod
    def month_of(cls, instant_ms: int) -> "BillingPeriod":
        """The calendar month that holds an instant."""
        return cls.month(f"{from_ms(instant_ms):%Y-%m}")

    @classmethod
    @lru_cache(_PERIODS)
    def around(cls, instant_ms: int, anchor_day: int) -> "BillingPeriod":
        """The period that holds an instant and begins on a day of the month, 00:00 UTC.

        The day is the month's last where it has no such day: 31 is 31 Jan, 28 Feb, 31 Mar.
        """
        month = from_ms(cls.month_of(instant_ms).start_ms)
        start = _on_day(month, anchor_day)
        if instant_ms < start:
            return cls(_on_day(add_months(month, -1), anchor_day), start)
        return cls(start, _on_day(add_months(month, 1), anchor_day))

    @classmethod
    @lru_cache(_PERIODS)
    def ending_in(cls, month: "BillingPeriod", anchor_day: int) -> "BillingPeriod":
        """The one period of an anchor that ends in (start, end] of a calendar month.

        With the anchor 1 it is the month itself; with 16, October's is 16 September to 16 October.
        """
        last = cls.around(month.end_ms - 1, anchor_day)
        return last if last.end_ms == month.end_ms else cls.around(last.start_ms - 1, anchor_day)

    @property
    def key(self) -> str:
        """The month's key, such as "2026-10"."""
        return f"{from_ms(self.start_ms):%Y-%m}"

    @property
    def before(self) -> "BillingPeriod":
        """The calendar month that ends where this begins, or is under way there."""
        return BillingPeriod.month_of(self.start_ms - 1)

    @property
    def reach(self) -> "BillingPeriod":
        """A calendar month and the one before: every period that ends in it lies in there."""
        return BillingPeriod(self.before.start_ms, self.end_ms)

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms

    def contains(self, instant_ms: int) -> bool:
        """Is the instant in `[start, end)`?"""
        return self.start_ms <= instant_ms < self.end_ms


def _on_day(month: datetime, day: int) -> int:
    """A day of a month, given by its first, or the month's last day where there is no such day."""
    last_day = calendar.monthrange(month.year, month.month)[1]
    return to_ms(month.replace(day=min(day, last_day)))


def add_months(anchor: datetime, months: int) -> datetime:
    """Move by whole months and keep the anchor's day where the month has it: 31 Jan + 1 → 28 Feb.

    Always count from the anchor, so that 31 Jan + 2 is 31 Mar again.
    """
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, last_day))
