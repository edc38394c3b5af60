"""How a plan begins, with or without a trial, and how a trial ends otherwise than it was to."""

from dataclasses import replace

from pipelines.plans.plan_commands import ConvertTrial, ExtendTrial, Start
from pipelines.plans.plan_moment import Effect, Moment
from pipelines.plans.plan_ramps import laid_out, ramp_of
from pipelines.plans.plan_schedule import bound_in_words
from pipelines.plans.plan_timeline import (
    Segments,
    cut,
    goes_on,
    leading,
    revised,
    run_at,
    trial_at,
    unbroken,
)
from schemas.errors import InvalidInput
from schemas.period import format_instant, from_ms
from schemas.subscription import PlanSegment

DAY_MS = 86_400_000


def carry_out(moment: Moment, command: Start | ExtendTrial | ConvertTrial) -> Effect:
    """See `pipelines.plans.plan_commands`."""
    match command:
        case Start():
            return _start(moment, command)
        case ExtendTrial():
            return _extend(moment, command)
        case ConvertTrial():
            return _convert(moment, command)


def _start(moment: Moment, command: Start) -> Effect:
    """A first plan, or a new one after the last has ended."""
    at_ms = moment.instant(command.when)
    segments = moment.subscription.segments
    if segments and (segments[-1].ends_ms is None or at_ms < segments[-1].ends_ms):
        moment.refuse("it cannot start beside the plan that it has; use `change` or `reactivate`")
    version = moment.version(command.version)
    moment.ensure_offered(command.plan, version, command.interval)
    begun = replace(moment.subscription, anchor_day=_anchor_day(moment, command, version, at_ms))
    new = _new_segments(replace(moment, subscription=begun), command, version, at_ms)
    after = revised(begun, at_ms, lambda _: new)
    return at_ms, after, f"{bound_in_words(after, at_ms)} at {format_instant(at_ms)}{_then(new)}"


def _then(new: Segments) -> str:
    """The phases and the plan that follow the first, where there is a ramp."""
    paid = [each for each in new if each.phase != "trial"]
    told = (f"{each.plan} at {format_instant(each.starts_ms)}" for each in paid[1:])
    return f", then {', '.join(told)}" if len(paid) > 1 else ""


def _new_segments(moment: Moment, command: Start, version: int, at_ms: int) -> Segments:
    """A trial that goes over into a plan with a ramp is one of the ramp's first phase."""
    paid_ms, ends_ms = at_ms + command.trial_days * DAY_MS, command.ends_ms
    plan = PlanSegment(command.plan, version, paid_ms, ends_ms, command.interval)
    if not command.converts and (ends_ms is not None or not command.trial_days):
        raise InvalidInput("a trial that ends without the plan has days, and no other end")
    last_ms = paid_ms if not command.converts else ends_ms
    if last_ms is not None and (moment.second(last_ms) <= moment.now_ms or last_ms <= at_ms):
        raise InvalidInput(f"the plan would be over at {format_instant(last_ms)}; end it later")
    if ends_ms is not None and ends_ms <= paid_ms:
        raise InvalidInput("the plan would be over within its trial; end it later")
    paid = laid_out(moment, moment.subscription, plan) if command.converts else []
    first = paid[0] if paid else plan
    trial = replace(first, starts_ms=at_ms, ends_ms=paid_ms, phase="trial")
    return [*([trial] if command.trial_days else []), *paid]


def _anchor_day(moment: Moment, command: Start, version: int, at_ms: int) -> int:
    """The day on which billing periods begin, the same for all the subscription's life."""
    subscription = moment.subscription
    day = subscription.anchor_day
    if command.anchor is None:
        return day
    is_anniversary = command.anchor == "anniversary"
    if is_anniversary:
        _ensure_anniversaries(moment, version)
    paid_ms = at_ms + command.trial_days * DAY_MS
    wanted = from_ms(paid_ms).day if is_anniversary else 1
    if subscription.segments and wanted != day:
        raise InvalidInput(
            f"{subscription.tenant}'s billing periods begin on day {day} and did so in invoices"
            " that were made; leave the anchor out"
        )
    return wanted


def _ensure_anniversaries(moment: Moment, version: int) -> None:
    """Also by the newest price list: counters run that one, and keep rows by the day if it says."""
    for each in (version, max(moment.catalogs)):
        if not moment.catalogs[each].anniversary_billing:
            remedy = "write `anniversary_billing: true` in it"
            raise InvalidInput(f"price list {each} bills by calendar months; {remedy}")


def _extend(moment: Moment, command: ExtendTrial) -> Effect:
    """The running trial ends later; what follows it begins later."""
    ends_ms, trial = moment.second(command.ends_ms), _last_of_trial(moment)
    was_ms = trial.ends_ms
    if was_ms is None or ends_ms <= was_ms:
        moment.refuse("its trial ends later than that already; see `convert-trial`")
    life_ends_ms = run_at(moment.subscription, moment.now_ms)[-1].ends_ms
    if life_ends_ms is not None and was_ms < life_ends_ms <= ends_ms:
        at = format_instant(life_ends_ms)
        moment.refuse(f"it ends at {at}, before its trial would; withdraw that first")

    def longer(after: Segments) -> Segments:
        # what comes after a gap may begin within the longer trial: that is refused by its overlap
        run, rest = unbroken(after)
        follows = run and run[0].starts_ms == was_ms
        beyond, rest = (_later(moment, run, ends_ms), rest) if follows else ([], after)
        if rest and rest[0].starts_ms < ends_ms:
            moment.refuse(f"it starts anew at {format_instant(rest[0].starts_ms)}; withdraw that")
        return [replace(trial, starts_ms=was_ms, ends_ms=ends_ms), *beyond, *rest]

    after = revised(moment.subscription, was_ms, longer)
    what = f"the trial ends at {format_instant(ends_ms)} instead of {format_instant(was_ms)}"
    return was_ms, after, what


def _later(moment: Moment, run: Segments, at_ms: int) -> Segments:
    """What follows a trial that ends at another instant: a ramp begins then, others are cut."""
    ramped = ramp_of(moment, moment.subscription, run)
    if ramped is None:
        return cut(run, at_ms)[1]
    return laid_out(moment, moment.subscription, replace(ramped, starts_ms=at_ms))


def _convert(moment: Moment, command: ConvertTrial) -> Effect:
    """The running trial ends early; one that was to end without its plan goes over into it."""
    at_ms, trial = moment.instant(command.when), _last_of_trial(moment)
    if trial.is_cancelled:
        moment.refuse("take the cancellation back first, by `reactivate`")
    if moment.after_beginning(at_ms).phase != "trial":
        moment.refuse("its trial is over then")

    def paid(after: Segments) -> Segments:
        run, rest = unbroken(after)
        tried, beyond = leading(run, "trial")
        if ramp_of(moment, moment.subscription, beyond):
            return [*_later(moment, beyond, at_ms), *rest]
        return [*(replace(each, phase="active") for each in tried), *beyond, *rest]

    after = revised(moment.subscription, at_ms, paid)
    last = run_at(after, at_ms)[-1]
    if last.ends_ms == trial.ends_ms:
        after = goes_on(after, last)
    return at_ms, after, f"the trial of {trial.plan} is over at {format_instant(at_ms)}"


def _last_of_trial(moment: Moment) -> PlanSegment:
    trial = trial_at(moment.subscription, moment.now_ms)
    if not trial:
        moment.refuse("no trial is running")
    return trial[-1]
