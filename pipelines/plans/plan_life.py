"""The life of a plan: what each command makes of a subscription, and when it is refused.

Pure: a subscription, a command and the clock go in, the subscription after it and its effect in
words come out. That nothing is done twice, and what is recorded, is in
`pipelines.plans.plan_records`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipelines.plans import plan_terms, plan_trials, plan_withdrawal
from pipelines.plans.plan_commands import (
    Cancel,
    Change,
    Command,
    ConvertTrial,
    ExtendTrial,
    Move,
    Pause,
    Reactivate,
    Resume,
    Start,
    SwitchInterval,
    Withdraw,
)
from pipelines.plans.plan_moment import Effect, Moment
from pipelines.plans.plan_schedule import scheduled
from pipelines.plans.plan_timeline import Segments, cut, leading, revised, unbroken
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.period import format_instant
from schemas.plan_state import bounds, may_follow, state_at
from schemas.subscription import Subscription


@dataclass(frozen=True, slots=True)
class PlanChange:
    """The subscription after a command, from when on it differs, and its effect in words."""

    subscription: Subscription
    effective_ms: int
    what: str


def carry_out(
    subscription: Subscription,
    command: Command,
    now_ms: int,
    catalogs: Mapping[int, Catalog],
    *,
    is_owing: bool = False,
) -> PlanChange:
    """What a command makes of a subscription; `catalogs` are all versions of the price list.

    `is_owing` says that an invoice of it is past due. A tenant's first subscription begins as one
    without segments. Nothing before the instant of the command changes.

    Raises:
        ChangeRefused: its state does not allow the command, or it would change nothing.
        InvalidInput: the command names what is not there, or no whole second.
    """
    moment = Moment(subscription, now_ms - now_ms % 1000, catalogs, is_owing)
    at_ms, after, what = _carry_out(moment, command)
    if after == subscription:
        moment.refuse(f"`{command.name}` at {format_instant(at_ms)} would change nothing")
    _ensure_moves(moment, after, at_ms)
    if isinstance(command, Change | Cancel | Pause | Resume):
        what += _dropped(subscription, after, at_ms)
    return PlanChange(after, at_ms, what)


def named_instant(subscription: Subscription, command: Command, now_ms: int) -> int:
    """The instant that a command names, 0 where it needs none. Raises ChangeRefused."""
    match command:
        case Withdraw(at_ms=at_ms) | ExtendTrial(ends_ms=at_ms):
            return at_ms
        case Reactivate():
            return 0
        case _:
            return Moment(subscription, now_ms - now_ms % 1000, {}).instant(command.when)


def _carry_out(moment: Moment, command: Command) -> Effect:
    match command:
        case Start() | ExtendTrial() | ConvertTrial():
            return plan_trials.carry_out(moment, command)
        case Change() | SwitchInterval() | Move():
            return plan_terms.carry_out(moment, command)
        case Reactivate() | Withdraw():
            return plan_withdrawal.carry_out(moment, command)
        case Cancel():
            return _cancel(moment, command)
        case Pause():
            return _pause(moment, command)
        case Resume():
            return _resume(moment, command)


def _ensure_moves(moment: Moment, after: Subscription, from_ms: int) -> None:
    """No state will follow one that it may not follow."""
    for at_ms in bounds(after):
        old, new = state_at(after, at_ms - 1000), state_at(after, at_ms)
        if at_ms >= from_ms and not may_follow(old, new):
            at = format_instant(at_ms)
            moment.refuse(f"it would go from {old} to {new} at {at}; choose a later instant")


def _dropped(before: Subscription, after: Subscription, at_ms: int) -> str:
    """What was scheduled and is no more, beside what the command was for."""
    kept = {str(each) for each in scheduled(after, at_ms)}
    lost = [str(each) for each in scheduled(before, at_ms) if str(each) not in kept]
    return f"; dropped: {', '.join(lost)}" if lost else ""


def _cancel(moment: Moment, command: Cancel) -> Effect:
    at_ms = moment.instant(command.when)
    moment.after_beginning(at_ms)
    before, after = cut(moment.subscription.segments, at_ms)
    _, rest = unbroken(after)
    ended = replace(before[-1], is_cancelled=True)
    cancelled = replace(moment.subscription, segments=(*before[:-1], ended, *rest))
    return at_ms, cancelled, f"cancelled at {format_instant(at_ms)}"


def _pause(moment: Moment, command: Pause) -> Effect:
    at_ms, until_ms = moment.instant(command.when), command.until_ms
    if until_ms is not None and moment.second(until_ms) <= at_ms:
        raise InvalidInput(f"{moment.subscription.tenant}: a pause ends after it begins")
    if moment.after_beginning(at_ms).phase == "trial":
        moment.refuse("a trial cannot be paused; use `extend-trial`")
    if moment.state == "past_due":
        moment.refuse("it cannot be paused while an invoice is unpaid; collect that first")

    def revise(after: Segments) -> Segments:
        run, rest = unbroken(after)
        inside, beyond = (run, []) if until_ms is None else cut(run, until_ms)
        return [*(replace(each, phase="paused") for each in inside), *beyond, *rest]

    until = "" if until_ms is None else f" until {format_instant(until_ms)}"
    after = revised(moment.subscription, at_ms, revise)
    return at_ms, after, f"paused at {format_instant(at_ms)}{until}"


def _resume(moment: Moment, command: Resume) -> Effect:
    at_ms = moment.instant(command.when)
    if moment.in_force(at_ms).phase != "paused":
        moment.refuse(f"it is not paused at {format_instant(at_ms)}, so it cannot be resumed")

    def revise(after: Segments) -> Segments:
        run, rest = unbroken(after)
        paused, beyond = leading(run, "paused")
        return [*(replace(each, phase="active") for each in paused), *beyond, *rest]

    after = revised(moment.subscription, at_ms, revise)
    return at_ms, after, f"resumed at {format_instant(at_ms)}"
