"""Commands that change what a plan costs: another plan, price list, or interval of payment."""

from collections.abc import Callable
from dataclasses import replace

from pipelines.plans.plan_commands import Change, Move, SwitchInterval
from pipelines.plans.plan_moment import Effect, Moment
from pipelines.plans.plan_schedule import bound_in_words, terms_in_words
from pipelines.plans.plan_timeline import Segments, revised, unbroken
from schemas.period import format_instant
from schemas.subscription import PlanSegment, Subscription


def carry_out(moment: Moment, command: Change | SwitchInterval | Move) -> Effect:
    """See `pipelines.plans.plan_commands`."""
    match command:
        case Change():
            return _change(moment, command)
        case SwitchInterval():
            return _switch_interval(moment, command)
        case Move():
            return _move(moment, command)


def _change(moment: Moment, command: Change) -> Effect:
    at_ms = moment.instant(command.when)
    old = moment.in_force(at_ms)
    version = moment.version(command.version)

    def changed(each: PlanSegment) -> PlanSegment:
        interval = command.interval or moment.kept_interval(each, command.plan, version)
        moment.ensure_offered(command.plan, version, interval)
        return replace(each, plan=command.plan, catalog_version=version, interval=interval)

    new = changed(old)
    _ensure_prorated_alike(moment, old, new, at_ms)
    after = _each_from(moment.subscription, at_ms, changed)
    return at_ms, after, _becomes(after, new, at_ms)


def _ensure_prorated_alike(moment: Moment, old: PlanSegment, new: PlanSegment, at_ms: int) -> None:
    """Of two plans within a period, both are prorated or none is: else one would cost nothing."""
    policies = [
        moment.catalogs[each.catalog_version].plans[each.plan].policies.proration
        for each in (old, new)
    ]
    is_within = moment.subscription.period_around(at_ms).start_ms != at_ms
    if is_within and (policies[0] == "none") != (policies[1] == "none"):
        whole, other = (old, new) if policies[0] == "none" else (new, old)
        moment.refuse(
            f"{whole.plan} is not prorated and {other.plan} is; change at period-end instead"
        )


def _switch_interval(moment: Moment, command: SwitchInterval) -> Effect:
    at_ms = moment.instant(command.when)
    old = moment.in_force(at_ms)

    moment.ensure_offered(old.plan, old.catalog_version, command.interval)

    def switched(each: PlanSegment) -> PlanSegment:
        paid = replace(each, interval=command.interval)
        return replace(paid, interval=moment.kept_interval(paid, each.plan, each.catalog_version))

    after = _each_from(moment.subscription, at_ms, switched)
    return at_ms, after, _becomes(after, switched(old), at_ms)


def _move(moment: Moment, command: Move) -> Effect:
    """From an instant on, for all that is known to follow."""
    is_running = moment.subscription.segment_at(moment.now_ms) is not None
    at_ms = moment.instant(command.when if is_running else "now")
    plan, version = command.to_plan or command.plan, moment.version(command.to_version)

    def moved(each: PlanSegment) -> PlanSegment:
        if (each.plan, each.catalog_version) != (command.plan, command.from_version):
            return each
        moment.ensure_offered(plan, version, each.interval)
        return replace(each, plan=plan, catalog_version=version)

    after = revised(moment.subscription, at_ms, lambda rest: [*map(moved, rest)])
    what = f"{command.plan} of price list {command.from_version} → {plan} of {version}"
    return at_ms, after, f"{what} at {format_instant(at_ms)}"


def _becomes(after: Subscription, new: PlanSegment, at_ms: int) -> str:
    words = bound_in_words(after, at_ms) or terms_in_words(new)
    return f"{words} at {format_instant(at_ms)}"


def _each_from(
    subscription: Subscription, at_ms: int, change: Callable[[PlanSegment], PlanSegment]
) -> Subscription:
    """Every segment from an instant on changed, up to the end of that stretch."""

    def revise(after: Segments) -> Segments:
        run, rest = unbroken(after)
        return [*map(change, run), *rest]

    return revised(subscription, at_ms, revise)
