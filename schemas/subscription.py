"""A tenant's subscription: which plan from when to when, in which currency, paid by which card."""

from dataclasses import dataclass
from itertools import pairwise

from schemas.period import BillingPeriod, format_instant

GOOD_CARD = "4242424242424242"
"""The sandbox's card that always pays."""


@dataclass(frozen=True, slots=True)
class PlanSegment:
    """A plan in force over `[starts_ms, ends_ms)`; `ends_ms` None is open-ended.

    Bounds are whole seconds: fees are prorated by the second. `catalog_version` is the version of
    the price list that the segment keeps until it is moved.
    """

    plan: str
    catalog_version: int
    starts_ms: int
    ends_ms: int | None

    def within(self, period: BillingPeriod) -> BillingPeriod | None:
        """The part of the segment that lies in the period, or None."""
        start = max(self.starts_ms, period.start_ms)
        end = period.end_ms if self.ends_ms is None else min(self.ends_ms, period.end_ms)
        return BillingPeriod(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Tenant × plan over time. Segments are in order and do not overlap; gaps are allowed."""

    id: str
    tenant: str
    currency: str
    card: str
    segments: tuple[PlanSegment, ...]

    def __post_init__(self) -> None:
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
