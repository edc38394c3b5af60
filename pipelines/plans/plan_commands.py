"""The commands that change a plan's life: what each says, and the key by which it is known.

What they do to a subscription is in `pipelines.plans.plan_life`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from schemas.period import format_instant
from schemas.subscription import Interval

When = Literal["now", "period-end"] | int
"""Now (the second that has begun), the end of the running period, or an instant in epoch ms."""

Anchor = Literal["calendar", "anniversary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin a plan: the first, or a new one after the last has ended.

    A trial goes over into the plan, unless `converts` is false: then the subscription expires with
    it. `ends_ms` is the end of a fixed term. With the anchor `anniversary`, billing periods begin
    on the day of the month on which the first paid day falls; it never changes afterwards. Without
    an anchor a new subscription has calendar months, an old one keeps what it has.
    """

    name: ClassVar[str] = "start"
    plan: str
    when: When = "now"
    version: int | None = None
    interval: Interval = "month"
    trial_days: int = 0
    converts: bool = True
    ends_ms: int | None = None
    anchor: Anchor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Another plan, dearer or cheaper, or the same by another price list; the newest if not said.

    It holds to the end of the subscription: plan changes that were scheduled after it are dropped,
    a pause, a cancellation and the end of a trial stay where they are.
    """

    name: ClassVar[str] = "change"
    plan: str
    when: When = "now"
    version: int | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchInterval:
    """Pay by the month or by the year from then on; the plan and its price list stay."""

    name: ClassVar[str] = "interval"
    interval: Interval
    when: When = "period-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """End the subscription; what was scheduled in it after that instant is dropped."""

    name: ClassVar[str] = "cancel"
    when: When = "period-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactivate:
    """Take a cancellation back before its end has come; the plan goes on as if it had not been."""

    name: ClassVar[str] = "reactivate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Put the plan out of force, for ever or until an instant."""

    name: ClassVar[str] = "pause"
    when: When = "now"
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Put a paused plan into force again."""

    name: ClassVar[str] = "resume"
    when: When = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Have another version of the price list in place of one, wherever a plan is held by it."""

    name: ClassVar[str] = "move"
    plan: str
    from_version: int
    to_version: int
    when: When = "period-end"
    to_plan: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendTrial:
    """Let the running trial end later."""

    name: ClassVar[str] = "extend-trial"
    ends_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertTrial:
    """End the running trial early: the plan is paid for from then on."""

    name: ClassVar[str] = "convert-trial"
    when: When = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Take back what is scheduled for an instant; `plan_schedule` lists what there is."""

    name: ClassVar[str] = "withdraw"
    at_ms: int


Command = (
    Start
    | Change
    | SwitchInterval
    | Cancel
    | Reactivate
    | Pause
    | Resume
    | Move
    | ExtendTrial
    | ConvertTrial
    | Withdraw
)


def request(command: Command) -> str:
    """The command's content as JSON, the same for the same command."""
    said = {name: _shown(name, value) for name, value in asdict(command).items()}
    given = {name: value for name, value in said.items() if value is not None}
    return json.dumps({"command": command.name, **given}, ensure_ascii=False, sort_keys=True)


def default_key(command: Command, effective_ms: int, version: int) -> str:
    """The key of a command that was given none, for a subscription of a version.

    The version is in it so that what was undone can be ordered again: a cancellation that was taken
    back has raised the version, and cancelling for the same instant is another act.
    """
    text = f"{request(command)} {effective_ms} {version}"
    return f"{command.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _shown(name: str, value: object) -> object:
    is_instant = name == "when" or name.endswith("_ms")
    return format_instant(value) if is_instant and isinstance(value, int) else value
