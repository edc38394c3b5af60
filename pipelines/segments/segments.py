"""How a subscription cuts a billing period: its parts, and the numbers of the stretches between.

Usage is summed by these numbers in the warehouse, and rated by them here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.period import BillingPeriod
from schemas.subscription import PlanSegment, Subscription


@dataclass(frozen=True, slots=True)
class Part:
    """A plan's stretch of a billing period. `number` is the `segment` of the usage in it.

    A trial costs no fee, and nothing beyond what it includes.
    """

    number: int
    plan: str
    catalog_version: int
    period: BillingPeriod
    is_trial: bool = False


def _in_force(
    subscription: Subscription, period: BillingPeriod
) -> list[tuple[PlanSegment, BillingPeriod]]:
    """The segments that are billed: while a plan is paused, none is in force."""
    return [each for each in subscription.parts(period) if each[0].phase != "paused"]


def bounds(subscription: Subscription, period: BillingPeriod) -> tuple[int, ...]:
    """The instants at which the subscription's parts of the period begin and end, rising.

    The segment of an event is the number of bounds at or before its time. Free to pro on 16
    October, cancelled on the 20th: bounds 1, 16 and 20 October; segment 1 is free, 2 is pro, 3 is
    without a subscription, and so is 0, which is before the first bound.
    """
    parts = [part for _, part in _in_force(subscription, period)]
    return tuple(sorted({part.start_ms for part in parts} | {part.end_ms for part in parts}))


def parts(subscription: Subscription, period: BillingPeriod) -> list[Part]:
    """The parts in time order, each with the number that `bounds` gives to its usage."""
    found: list[Part] = []
    number, reached_ms = 0, None
    for segment, part in _in_force(subscription, period):
        # Two bounds lie before a part that follows a gap: the gap's beginning and its end.
        number += 1 if reached_ms in (None, part.start_ms) else 2
        reached_ms = part.end_ms
        is_trial = segment.phase == "trial"
        found.append(Part(number, segment.plan, segment.catalog_version, part, is_trial))
    return found


def unbroken(found: list[Part]) -> Iterator[list[Part]]:
    """The parts in runs without a gap: where one ends, the next begins, paid for like it."""
    run: list[Part] = []
    for part in found:
        if run and not _goes_on(run[-1], part):
            yield run
            run = []
        run.append(part)
    if run:
        yield run


def _goes_on(before: Part, after: Part) -> bool:
    is_next = before.period.end_ms == after.period.start_ms
    return is_next and before.is_trial == after.is_trial
