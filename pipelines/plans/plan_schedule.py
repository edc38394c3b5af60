"""What lies ahead in a subscription's timeline, in words, and how a bound reads.

Each bound of the timeline is one scheduled change: a plan that begins, changes, pauses, or ends.
"""

from dataclasses import dataclass

from schemas.period import format_instant
from schemas.plan_state import bounds
from schemas.subscription import PlanSegment, Subscription


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A change that the clock will bring, such as "pro → free" or "cancelled"."""

    at_ms: int
    what: str

    def __str__(self) -> str:
        return f"{self.what} at {format_instant(self.at_ms)}"


def scheduled(subscription: Subscription, now_ms: int) -> list[Scheduled]:
    """What comes after now, in time order."""
    ahead = (at_ms for at_ms in bounds(subscription) if at_ms > now_ms)
    found = ((at_ms, bound_in_words(subscription, at_ms)) for at_ms in ahead)
    return [Scheduled(at_ms, what) for at_ms, what in found if what]


def bound_in_words(subscription: Subscription, at_ms: int) -> str:
    """What happens to the subscription at an instant; empty when nothing does."""
    old = next((each for each in subscription.segments if each.ends_ms == at_ms), None)
    new = next((each for each in subscription.segments if each.starts_ms == at_ms), None)
    if new is None:
        return "" if old is None else ("cancelled" if old.is_cancelled else "expires")
    if old is None:
        return f"starts {terms_in_words(new)}"
    return ", ".join(filter(None, (_terms_changed(old, new), _phase_changed(old, new))))


def terms_in_words(segment: PlanSegment) -> str:
    """Such as "pro", "pro by the year", "a trial of pro"."""
    named = f"{segment.plan} by the year" if segment.interval == "year" else segment.plan
    return f"a trial of {named}" if segment.phase == "trial" else named


def _terms_changed(old: PlanSegment, new: PlanSegment) -> str:
    if old.plan != new.plan:
        return f"{old.plan} → {new.plan}{_interval_changed(old, new)}"
    changed = [_interval_changed(old, new).strip()]
    if old.catalog_version != new.catalog_version:
        changed.append(f"price list {old.catalog_version} → {new.catalog_version}")
    return ", ".join(filter(None, changed))


def _interval_changed(old: PlanSegment, new: PlanSegment) -> str:
    return "" if old.interval == new.interval else f" by the {new.interval}"


def _phase_changed(old: PlanSegment, new: PlanSegment) -> str:
    if old.phase == new.phase:
        return ""
    if new.phase == "paused":
        return "paused"
    return "the trial is over" if old.phase == "trial" else "resumed"
