"""`countinghouse subscriptions start|change|…`: one function a command, its options in words.

Each makes a command of its options; the tenant, and who orders it and why, are the same for all
(`countinghouse.cli.plan_order`), as is `subscriptions preview …`, which takes the same words.
"""

from typing import Annotated

import typer

from countinghouse.cli.instants import AtOption, instant, moment
from countinghouse.cli.plan_order import Ordered, order
from countinghouse.plan_run import Profile
from pipelines.plans.plan_commands import (
    Anchor,
    Cancel,
    Change,
    ConvertTrial,
    ExtendTrial,
    Pause,
    Reactivate,
    Resume,
    Start,
    SwitchInterval,
    Withdraw,
)
from schemas.errors import InvalidInput
from schemas.subscription import Interval

PlanArgument = Annotated[str, typer.Argument(help="The plan, as `catalog show` names it.")]
VersionOption = Annotated[
    int | None, typer.Option("--price-list", help="Its version; default: the newest.")
]
UntilOption = Annotated[str, typer.Option(help="A time; default: for ever.")]


@order("start")
def start(  # noqa: PLR0913, PLR0917  one for each option
    plan: PlanArgument,
    at: AtOption = "now",
    trial_days: Annotated[int, typer.Option(min=0, max=366, help="Days without charge.")] = 0,
    converts: Annotated[
        bool,
        typer.Option("--convert/--no-convert", help="Whether the plan begins after the trial."),
    ] = True,
    until: UntilOption = "",
    interval: Annotated[str, typer.Option(help="month or year.")] = "month",
    anchor: Annotated[
        str, typer.Option(help="Calendar months, or anniversaries of the first paid day.")
    ] = "",
    price_list: VersionOption = None,
    currency: Annotated[str, typer.Option(help="Of a new tenant; default: USD.")] = "",
    card: Annotated[str, typer.Option(help="Of a new tenant; default: the sandbox's.")] = "",
) -> Ordered:
    """Begin a plan: a tenant's first, or a new one after the last has ended."""
    command = Start(
        plan=plan,
        when=moment(at),
        version=price_list,
        interval=_interval(interval),
        trial_days=trial_days,
        converts=converts,
        ends_ms=instant(until, "--until") if until else None,
        anchor=_anchor(anchor),
    )
    return Ordered(command, Profile(currency, card))


@order("change")
def change(
    plan: PlanArgument,
    at: AtOption = "now",
    price_list: VersionOption = None,
    interval: Annotated[str, typer.Option(help="month or year; default: as it is.")] = "",
) -> Ordered:
    """Go to another plan, dearer or cheaper; plan changes scheduled after it are dropped."""
    paid = _interval(interval) if interval else None
    return Ordered(Change(plan=plan, when=moment(at), version=price_list, interval=paid))


@order("interval")
def switch_interval(
    to: Annotated[str, typer.Argument(help="month or year.")], at: AtOption = "period-end"
) -> Ordered:
    """Pay by the month or by the year."""
    return Ordered(SwitchInterval(interval=_interval(to), when=moment(at)))


@order("cancel")
def cancel(at: AtOption = "period-end") -> Ordered:
    """End a subscription."""
    return Ordered(Cancel(when=moment(at)))


@order("reactivate")
def reactivate() -> Ordered:
    """Take a cancellation back before its end has come."""
    return Ordered(Reactivate())


@order("pause")
def pause(at: AtOption = "now", until: UntilOption = "") -> Ordered:
    """Put a plan out of force: nothing is charged, the default plan's limits hold."""
    until_ms = instant(until, "--until") if until else None
    return Ordered(Pause(when=moment(at), until_ms=until_ms))


@order("resume")
def resume(at: AtOption = "now") -> Ordered:
    """Put a paused plan into force again."""
    return Ordered(Resume(when=moment(at)))


@order("extend-trial")
def extend_trial(
    until: Annotated[str, typer.Argument(help="When the trial is to end.")],
) -> Ordered:
    """Let the running trial end later."""
    return Ordered(ExtendTrial(ends_ms=instant(until, "UNTIL")))


@order("convert-trial")
def convert_trial(at: AtOption = "now") -> Ordered:
    """End the running trial early: the plan is paid for from then on."""
    return Ordered(ConvertTrial(when=moment(at)))


@order("withdraw")
def withdraw(
    scheduled_for: Annotated[str, typer.Argument(help="The time, as `scheduled` shows it.")],
) -> Ordered:
    """Take back what is scheduled for a time."""
    return Ordered(Withdraw(at_ms=instant(scheduled_for, "SCHEDULED_FOR")))


def _interval(text: str) -> Interval:
    if text == "month":
        return "month"
    if text == "year":
        return "year"
    raise InvalidInput(f"{text!r} is not an interval of payment; write month or year")


def _anchor(text: str) -> Anchor | None:
    if not text:
        return None
    if text == "calendar":
        return "calendar"
    if text == "anniversary":
        return "anniversary"
    raise InvalidInput(f"--anchor: {text!r} is not known; write calendar or anniversary")
