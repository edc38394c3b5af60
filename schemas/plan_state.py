"""The states of a subscription, and which may follow which.

A state is read from the timeline, with what is owed; it is nowhere set. Who moves it, and how, is
in `pipelines.plans.plan_life` (commands) and `pipelines.plans.plan_clock` (time and payments).
"""

from collections.abc import Mapping
from typing import Literal

from schemas.subscription import PlanSegment, Subscription

State = Literal["trialing", "active", "paused", "past_due", "cancelled", "expired"]

ENDED: tuple[State, ...] = ("cancelled", "expired")

MOVES: Mapping[State | None, frozenset[State]] = {
    None: frozenset({"trialing", "active"}),
    "trialing": frozenset({"active", "cancelled", "expired"}),
    "active": frozenset({"paused", "past_due", "cancelled", "expired"}),
    "paused": frozenset({"active", "cancelled", "expired"}),
    # paused or expired by the clock alone: a date that was set before it owed anything
    "past_due": frozenset({"active", "cancelled", "paused", "expired"}),
    # by a new start; before its end takes effect a subscription is not cancelled yet
    "cancelled": frozenset({"trialing", "active"}),
    "expired": frozenset({"trialing", "active"}),
}
"""What may follow a state; None is a subscription that has not begun."""


def may_follow(before: State | None, after: State | None) -> bool:
    """May a subscription go from one state to the other? Staying is no move."""
    return after == before or (after is not None and after in MOVES[before])


def state_at(
    subscription: Subscription, instant_ms: int, *, is_past_due: bool = False
) -> State | None:
    """The state at an instant, None before the beginning.

    `is_past_due` says that an invoice of it is past due and unpaid: that is told of an active one.
    """
    segment = subscription.segment_at(instant_ms)
    if segment is None:
        return _ended(subscription, instant_ms)
    match segment.phase:
        case "trial":
            return "trialing"
        case "paused":
            return "paused"
        case "active":
            return "past_due" if is_past_due else "active"


def _ended(subscription: Subscription, instant_ms: int) -> State | None:
    over = [each for each in subscription.segments if _is_over(each, instant_ms)]
    if not over:
        return None
    return "cancelled" if over[-1].is_cancelled else "expired"


def _is_over(segment: PlanSegment, instant_ms: int) -> bool:
    return segment.ends_ms is not None and segment.ends_ms <= instant_ms


def bounds(subscription: Subscription) -> list[int]:
    """The instants at which a segment begins or ends, rising."""
    starts = {each.starts_ms for each in subscription.segments}
    ends = {each.ends_ms for each in subscription.segments if each.ends_ms is not None}
    return sorted(starts | ends)


def next_bound(subscription: Subscription, now_ms: int) -> int | None:
    """When the clock will next change something, None when it never will."""
    return next((bound for bound in bounds(subscription) if bound > now_ms), None)


def first_difference(before: Subscription | None, after: Subscription) -> int | None:
    """The earliest instant from which the two are not the same life, None if they never differ.

    Another currency, or another day on which periods begin, is a difference from the beginning on.
    """
    if before is None:
        return next(iter(bounds(after)), None)
    instants = sorted({*bounds(before), *bounds(after)})
    if (before.anchor_day, before.currency) != (after.anchor_day, after.currency):
        return next(iter(instants), None)
    return next((at for at in instants if _facts(before, at) != _facts(after, at)), None)


def _facts(subscription: Subscription, instant_ms: int) -> tuple[object, ...]:
    """What holds from an instant on, and what begins or was ended at it."""
    segment = subscription.segment_at(instant_ms)
    terms = segment and (segment.plan, segment.catalog_version, segment.interval, segment.phase)
    ended = [each for each in subscription.segments if each.ends_ms == instant_ms]
    return (
        terms,
        segment is not None and segment.starts_ms == instant_ms,
        [each.is_cancelled for each in ended],
    )
