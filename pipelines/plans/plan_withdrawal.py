"""Commands that take something back before it happens: a cancellation, or what is scheduled."""

from dataclasses import replace

from pipelines.plans.plan_commands import Reactivate, Withdraw
from pipelines.plans.plan_moment import Effect, Moment
from pipelines.plans.plan_ramps import cut_short
from pipelines.plans.plan_schedule import bound_in_words, scheduled
from pipelines.plans.plan_timeline import Segments, cut, goes_on, revised, run_at, unbroken
from schemas.period import format_instant
from schemas.subscription import Interval, PlanSegment, Subscription


def carry_out(moment: Moment, command: Reactivate | Withdraw) -> Effect:
    """See `pipelines.plans.plan_commands`."""
    match command:
        case Reactivate():
            return _reactivate(moment)
        case Withdraw():
            return _withdraw(moment, command)


def _reactivate(moment: Moment) -> Effect:
    run = run_at(moment.subscription, moment.now_ms)
    if not run:
        moment.refuse("there is no cancellation ahead to take back; use `start`")
    last = run[-1]
    if last.ends_ms is None or not last.is_cancelled:
        moment.refuse("no cancellation is scheduled, so there is nothing to take back")
    if ramped := cut_short(moment, moment.subscription, run):
        moment.refuse(
            f"the ramp of {ramped} was dropped by the cancellation; `change` to {ramped} first, or"
            f" `withdraw` the cancellation to stay with {last.plan}"
        )
    after = goes_on(moment.subscription, last)
    return last.ends_ms, after, f"not cancelled at {format_instant(last.ends_ms)}"


def _withdraw(moment: Moment, command: Withdraw) -> Effect:
    at_ms, at = command.at_ms, format_instant(command.at_ms)
    words = bound_in_words(moment.subscription, at_ms)
    if not words or at_ms <= moment.now_ms:
        ahead = ", ".join(map(str, scheduled(moment.subscription, moment.now_ms))) or "nothing"
        moment.refuse(f"nothing is scheduled for {at}; ahead is {ahead}")
    after = _without_bound(moment, at_ms)
    return at_ms, after, f"withdrawn: {words} at {at}"


def _without_bound(moment: Moment, at_ms: int) -> Subscription:
    """As if nothing happened at an instant: what it changed goes on as it was before.

    It goes on until another bound changes the same thing, the plan or the pause.
    """
    before, after = cut(moment.subscription.segments, at_ms)
    run, rest = unbroken(after)
    old = before[-1] if before and before[-1].ends_ms == at_ms else None
    if old is None:
        return replace(moment.subscription, segments=(*before, *rest))
    if not run or run[0].starts_ms != at_ms:
        return goes_on(moment.subscription, old)
    if bound_in_words(moment.subscription, at_ms) == "the trial is over":
        moment.refuse("the end of a trial is moved by `extend-trial` or `convert-trial`")
    return revised(moment.subscription, at_ms, lambda _: [*_as_before(old, run), *rest])


def _as_before(old: PlanSegment, run: Segments) -> Segments:
    new = run[0]
    is_same_plan, is_same_phase = True, old.phase != "trial"
    found: Segments = []
    for each in run:
        is_same_plan &= _plan(each) == _plan(new)
        is_same_phase &= each.phase == new.phase
        plan, version, interval = _plan(old if is_same_plan else each)
        phase = old.phase if is_same_phase else each.phase
        found.append(
            replace(each, plan=plan, catalog_version=version, interval=interval, phase=phase)
        )
    return found


def _plan(segment: PlanSegment) -> tuple[str, int, Interval]:
    return segment.plan, segment.catalog_version, segment.interval
