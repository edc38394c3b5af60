"""Subscriptions over time as a line of text, there and back, so that a test's cases can be read.

"trial pro 10-03 .. 10-17, pro 10-17 .. 11-01 cancelled": a plan, when it begins, when it ends (it
ends where the next begins, if nothing else is said). `/year` is paid by the year, `@2` is of price
list 2. Days are of 2026, midnight UTC, if no year and no time is written.
"""

from dataclasses import replace
from itertools import starmap, zip_longest
from typing import get_args

from schemas.period import format_instant, parse_instant
from schemas.subscription import GOOD_CARD, Interval, Phase, PlanSegment, Subscription


def when(text: str) -> int:
    """Epoch milliseconds of "10-16", "10-16 12:30", "10-16 23:59:59" or "2027-01-31"."""
    day, _, time = text.partition(" ")
    year = "" if day.count("-") == 2 else "2026-"
    return parse_instant(f"{year}{day}T{time or '00:00'}Z")


def shown(instant_ms: int) -> str:
    """The instant as `when` reads it."""
    day, _, time = format_instant(instant_ms).removesuffix("Z").partition("T")
    clock = "" if time == "00:00:00" else f" {time.removesuffix(':00')}"
    return f"{day.removeprefix('2026-')}{clock}"


def a_life(
    text: str, anchor_day: int = 1, currency: str = "USD", tenant: str = "acme"
) -> Subscription:
    """The subscription of a line; an empty one has no plan yet."""
    rows = text.split(", ") if text else []
    drafts = [_draft(row) for row in rows]
    segments = tuple(starmap(_ending, zip_longest(drafts, drafts[1:])))
    return Subscription(f"sub_{tenant}", tenant, currency, GOOD_CARD, segments, anchor_day)


def written(subscription: Subscription) -> str:
    """The line of a subscription."""
    pairs = zip_longest(subscription.segments, subscription.segments[1:])
    return ", ".join(_row(segment, following) for segment, following in pairs)


def _draft(row: str) -> PlanSegment:
    is_cancelled = row.endswith(" cancelled")
    named, _, ends = row.removesuffix(" cancelled").partition(" .. ")
    first, _, rest = named.partition(" ")
    phase: Phase = "active"
    if first in get_args(Phase):
        phase, (first, _, rest) = first, rest.partition(" ")  # type: ignore[assignment]
    plan, _, version = first.partition("@")
    plan, _, interval = plan.partition("/")
    paid: Interval = "year" if interval == "year" else "month"
    ends_ms = when(ends) if ends else None
    return PlanSegment(plan, int(version or 1), when(rest), ends_ms, paid, phase, is_cancelled)


def _ending(draft: PlanSegment, following: PlanSegment | None) -> PlanSegment:
    """The segment, with its end where the next begins if its row says none."""
    if draft.ends_ms is not None or following is None:
        return draft
    return replace(draft, ends_ms=following.starts_ms)


def _row(segment: PlanSegment, following: PlanSegment | None) -> str:
    phase = "" if segment.phase == "active" else f"{segment.phase} "
    interval = "/year" if segment.interval == "year" else ""
    version = "" if segment.catalog_version == 1 else f"@{segment.catalog_version}"
    row = f"{phase}{segment.plan}{interval}{version} {shown(segment.starts_ms)}"
    if segment.ends_ms is not None and (
        following is None or following.starts_ms != segment.ends_ms
    ):
        row += f" .. {shown(segment.ends_ms)}"
    return f"{row} cancelled" if segment.is_cancelled else row
