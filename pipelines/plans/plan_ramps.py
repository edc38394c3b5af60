"""A plan's ramp on a timeline: the plans that hold before it, each for its months.

What a ramp is stands in `schemas.plan_reach`; commands that begin or move one are in
`pipelines.plans.plan_trials`.
"""

from dataclasses import replace

from pipelines.plans.plan_moment import Moment
from pipelines.plans.plan_timeline import Segments, cut
from schemas.period import add_months, from_ms, to_ms
from schemas.plan_reach import RampPhase
from schemas.subscription import PlanSegment, Subscription

_DAY_MS = 86_400_000


def laid_out(moment: Moment, subscription: Subscription, plan: PlanSegment) -> Segments:
    """A plan from its beginning to its end, its ramp before it; months count from the beginning.

    A bound on the day on which a billing period begins is that beginning.
    """
    found: Segments = []
    begun, at_ms, months = from_ms(plan.starts_ms), plan.starts_ms, 0
    for phase in _ramp(moment, plan):
        months += phase.months
        until_ms = _bound(subscription, to_ms(add_months(begun, months)))
        interval = moment.kept_interval(plan, phase.plan, plan.catalog_version)
        found.append(
            replace(
                plan,
                plan=phase.plan,
                interval=interval,
                starts_ms=at_ms,
                ends_ms=until_ms,
                is_cancelled=False,
            )
        )
        at_ms = until_ms
    found.append(replace(plan, starts_ms=at_ms))
    return found if plan.ends_ms is None else cut(found, plan.ends_ms)[0]


def ramp_of(moment: Moment, subscription: Subscription, run: Segments) -> PlanSegment | None:
    """The plan whose ramp these segments are, unchanged, as it would be without; else None."""
    if len(run) < 2:
        return None
    plan = replace(run[-1], starts_ms=run[0].starts_ms)
    return plan if laid_out(moment, subscription, plan) == run else None


def cut_short(moment: Moment, subscription: Subscription, run: Segments) -> str | None:
    """The plan whose ramp ends unfinished with these segments, None where there is none.

    A timeline does not say of what its plans are phases; who began with one of them by itself
    looks the same.
    """
    last = run[-1]
    paid = [each for each in run if each.phase != "trial"]
    for name, plan in moment.catalogs[last.catalog_version].plans.items():
        if not plan.ramp:
            continue
        if not paid and last.plan == plan.ramp[0].plan:
            return name
        for place, first in enumerate(paid):
            whole = replace(first, plan=name, ends_ms=last.ends_ms)
            found = laid_out(moment, subscription, whole)
            if found[-1].plan != name and _shape(found) == _shape(paid[place:]):
                return name
    return None


def _shape(segments: Segments) -> list[tuple[str, int]]:
    """Which plan from when on, whatever else changes."""
    return [
        (each.plan, each.starts_ms)
        for n, each in enumerate(segments)
        if n == 0 or segments[n - 1].plan != each.plan
    ]


def _bound(subscription: Subscription, instant_ms: int) -> int:
    start_ms = subscription.period_around(instant_ms).start_ms
    return start_ms if instant_ms - start_ms < _DAY_MS else instant_ms


def _ramp(moment: Moment, plan: PlanSegment) -> tuple[RampPhase, ...]:
    offered = moment.catalogs[plan.catalog_version].plans.get(plan.plan)
    return offered.ramp if offered else ()
