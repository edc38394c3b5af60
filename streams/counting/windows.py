"""Tumbling windows, UTC: which one of a kind holds an instant.

Owns their bounds and names. How long a window is kept is the accounts' matter.
"""

from functools import lru_cache
from typing import NamedTuple

from schemas.period import BillingPeriod, format_instant, parse_instant
from schemas.quota import Window, WindowKind

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
_LENGTHS = {"hour": HOUR_MS, "day": DAY_MS, "week": WEEK_MS}
_FIRST_MONDAY_MS = 4 * DAY_MS
"""The epoch began on a Thursday; ISO weeks begin on Mondays."""

_REMEMBERED = 20_000


class Span(NamedTuple):
    """A window's kind and bounds, `[start_ms, end_ms)`, and how messages name it."""

    kind: WindowKind
    start_ms: int
    end_ms: int
    window: Window

    def within(self, instant_ms: int) -> int:
        """The instant of the window that is nearest to a given one."""
        return min(max(instant_ms, self.start_ms), self.end_ms - 1)


def span_of(kind: WindowKind, time_ms: int, anchor_day: int) -> Span:
    """The window that holds an instant; `anchor_day` matters to billing periods alone."""
    if kind == "billing_period":
        return _billing_period(time_ms // DAY_MS, anchor_day)
    length = _LENGTHS[kind]
    start_ms = (time_ms - _FIRST_MONDAY_MS) // WEEK_MS * WEEK_MS + _FIRST_MONDAY_MS
    if kind != "week":
        start_ms = time_ms // length * length
    return _span(kind, start_ms, start_ms + length)


@lru_cache(_REMEMBERED)
def _billing_period(day: int, anchor_day: int) -> Span:
    period = BillingPeriod.around(day * DAY_MS, anchor_day)
    return _span("billing_period", period.start_ms, period.end_ms)


@lru_cache(_REMEMBERED)
def _span(kind: WindowKind, start_ms: int, end_ms: int) -> Span:
    window = Window(kind, format_instant(start_ms), format_instant(end_ms))
    return Span(kind, start_ms, end_ms, window)


@lru_cache(_REMEMBERED)
def read_span(window: Window) -> Span:
    """A window as a message names it."""
    return _span(window.kind, instant_of(window.start), instant_of(window.end))


@lru_cache(_REMEMBERED)
def instant_of(text: str) -> int:
    """A window's bound in epoch milliseconds; there are few of them and many rows."""
    return parse_instant(text)
