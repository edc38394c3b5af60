"""A tenant's subscription: which plan from when to when, in which currency, paid by which card.

The timeline of its segments is the plan's whole life, future included: a scheduled change is a
bound that lies ahead. How a life may go on is in `pipelines.plans.plan_life`.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from schemas.period import BillingPeriod, format_instant

Interval = Literal["month", "year"]
"""What the base fee is a fee for."""

Phase = Literal["trial", "active", "paused"]
"""`trial` costs nothing; while `paused` no plan is in force and nobody is charged."""

GOOD_CARD = "4242424242424242"
"""The sandbox's card that always pays."""


@dataclass(frozen=True, slots=True)
class PlanSegment:
    """A plan in force over `[starts_ms, ends_ms)`; `ends_ms` None is open-ended.

    Bounds are whole seconds: fees are prorated by the second. `catalog_version` is the version of
    the price list that the segment keeps until it is moved. `is_cancelled` says that somebody
    ordered its end; otherwise the subscription expires where nothing follows it.
    """

    plan: str
    catalog_version: int
    starts_ms: int
    ends_ms: int | None
    interval: Interval = "month"
    phase: Phase = "active"
    is_cancelled: bool = False

    def contains(self, instant_ms: int) -> bool:
        """Is the instant in `[starts, ends)`?"""
        return self.starts_ms <= instant_ms and (self.ends_ms is None or instant_ms < self.ends_ms)

    def within(self, period: BillingPeriod) -> BillingPeriod | None:
        """The part of the segment that lies in the period, or None."""
        start = max(self.starts_ms, period.start_ms)
        end = period.end_ms if self.ends_ms is None else min(self.ends_ms, period.end_ms)
        return BillingPeriod(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Tenant × plan over time. Segments are in order and do not overlap; gaps are allowed.

    Billing periods begin on `anchor_day` of the month, 00:00 UTC, or on the month's last day where
    it has no such day: 1 is the calendar month. None of its plans may be left: all was withdrawn
    before it began. One that is to be saved may leave `card` empty, and the tenant keeps its own.
    """

    id: str
    tenant: str
    currency: str
    card: str
    segments: tuple[PlanSegment, ...]
    anchor_day: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.anchor_day <= 31:
            raise ValueError(f"{self.tenant}: periods begin on a day from 1 to 31")
        for segment in self.segments:
            if segment.ends_ms is not None and segment.starts_ms >= segment.ends_ms:
                raise ValueError(f"{self.tenant}: a plan ends before it starts")
            if segment.starts_ms % 1000 or (segment.ends_ms or 0) % 1000:
                raise ValueError(f"{self.tenant}: plan changes are at whole seconds")
        for earlier, later in pairwise(self.segments):
            if earlier.ends_ms is None or earlier.ends_ms > later.starts_ms:
                at = format_instant(later.starts_ms)
                raise ValueError(f"{self.tenant}: two plans are in force at {at}")

    def parts(self, period: BillingPeriod) -> list[tuple[PlanSegment, BillingPeriod]]:
        """The segments that reach into the period, each with its part of it, in order."""
        cut = ((segment, segment.within(period)) for segment in self.segments)
        return [(segment, part) for segment, part in cut if part is not None]

    def period_around(self, instant_ms: int) -> BillingPeriod:
        """The billing period that holds an instant."""
        return BillingPeriod.around(instant_ms, self.anchor_day)

    def billed_in(self, month: BillingPeriod) -> BillingPeriod:
        """The billing period that the close of a calendar month bills: it ends in (start, end]."""
        return BillingPeriod.ending_in(month, self.anchor_day)

    def segment_at(self, instant_ms: int) -> PlanSegment | None:
        """The segment in force at an instant, a trial or a pause included."""
        return next((each for each in self.segments if each.contains(instant_ms)), None)
