"""What is recorded of a subscription's life, and what a command finds before it decides.

One `PlanEntry` is a row of the ledger's table `subscription_changes`: an order, or what the clock
and payments did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.plan_state import State
from schemas.subscription import Subscription

CLOCK = "clock"
"""The command, and the name, of what happens by time or payment alone."""


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One transition. `request` is the command's content as JSON, `what` its effect in words.

    `from_state` and `to_state` are those when it was recorded; the state that something scheduled
    will bring is of an entry of its own, recorded when its instant has passed.
    """

    command: str
    request: str
    key: str
    who: str
    why: str
    what: str
    recorded_ms: int
    effective_ms: int
    from_state: State | None
    to_state: State | None


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """An entry as stored. Before and after are timelines as JSON, where it changed the timeline."""

    tenant: str
    entry: PlanEntry
    version: int
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class PlanLife:
    """A subscription as a command finds it, within the transaction that will change it.

    `state` is the one last recorded, `next_move_ms` when the timeline next changes it. `is_owing`:
    an invoice of it is past due. `commands` are those given earlier by key, oldest first.
    """

    subscription: Subscription
    version: int = 0
    state: State | None = None
    next_move_ms: int | None = None
    is_owing: bool = False
    commands: Mapping[str, PlanEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write: entries in order, and the subscription as it is now to be."""

    subscription: Subscription
    entries: Sequence[PlanEntry]
    state: State | None
    next_move_ms: int | None


Decide = Callable[[PlanLife], Decision | None]
"""What to make of a subscription; None leaves it as it is."""
