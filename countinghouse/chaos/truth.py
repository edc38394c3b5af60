"""The recount: what must be counted, landed, announced and rejected, from what was sent alone.

Plain and slow on purpose, and written apart from `streams` and `pipelines.admission`: were it to
share their code, it would share their mistakes.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from countinghouse.chaos import prices
from countinghouse.chaos.messages import Identity, Malformed, Sent, Usage, place
from countinghouse.chaos.windows import window_start

UNIQUE_BOUND = 1_000


class CounterKey(NamedTuple):
    """Whose usage of what, in which window."""

    tenant: str
    meter: str
    kind: str
    start: str

    def __str__(self) -> str:
        return "/".join(self)


class Fact(NamedTuple):
    """An announcement as subscribers tell it apart: the topic and the id."""

    topic: str
    id: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """What must be announced: which counter reached what, by which event."""

    key: CounterKey
    percent: int
    at: str
    used: str
    cause: tuple[str, str]  # source and id


@dataclass
class Tally:
    """The running value of one counter; `history` holds it after each event where that is kept."""

    value: int = 0
    as_of_ms: int | None = None
    members: set[str] = field(default_factory=set)
    highest: int = 0
    history: dict[tuple[str, str], int] | None = None


class Truth:
    """Folds messages in the order of sending. `plans` are those of tenants that never change.

    A tenant that is neither in `plans` nor in `changing` has the default plan.
    """

    def __init__(
        self,
        plans: Mapping[str, str],
        changing: frozenset[str],
        windows: Callable[[str], tuple[str, ...]] = prices.windows,
    ) -> None:
        self._plans = plans
        self._changing = changing
        self._windows = windows
        self.tallies: dict[CounterKey, Tally] = {}
        self.events: dict[Identity, Usage] = {}
        self.deliveries: dict[int, Identity] = {}
        self.rejected: dict[int, Malformed] = {}
        self.announced: dict[Fact, Announcement] = {}
        self.conflicts: set[Identity] = set()
        self.messages = 0

    @property
    def repeats(self) -> int:
        """Deliveries of events that were known."""
        return len(self.deliveries) - len(self.events)

    def sent(self, message: Sent) -> None:
        """Take note of a message."""
        self.messages += 1
        for item, element in enumerate(message.elements):
            where = place(message.number, item)
            if isinstance(element, Malformed):
                self.rejected[where] = element
            else:
                self._deliver(where, element)

    def _deliver(self, where: int, usage: Usage) -> None:
        known = self.events.get(usage.identity)
        self.deliveries[where] = usage.identity if known is None else known.identity
        if known is None:
            self.events[usage.identity] = usage
            self._count(usage)
        elif known != usage:
            self.conflicts.add(usage.identity)

    def _count(self, usage: Usage) -> None:
        for meter in (*usage.values, *usage.members):
            for kind in self._windows(meter):
                start = window_start(kind, usage.time_ms)
                self._add(CounterKey(usage.identity.tenant, meter, kind, start), usage)

    def _add(self, key: CounterKey, usage: Usage) -> None:
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally()
            if key.tenant in self._changing:
                tally.history = {}
        _fold(tally, key.meter, usage)
        if tally.history is not None:
            tally.history[usage.identity.source, usage.identity.id] = tally.value
        elif tally.value > tally.highest:
            self._announce(key, tally, usage)
        tally.highest = max(tally.highest, tally.value)

    def _announce(self, key: CounterKey, tally: Tally, usage: Usage) -> None:
        """The steps that lie between the highest value so far and this one."""
        plan = self._plans.get(key.tenant, prices.DEFAULT_PLAN)
        cause = (usage.identity.source, usage.identity.id)
        for at, percent, topic in prices.steps(plan, key.meter, key.kind):
            if tally.highest < at <= tally.value:
                fact = Fact(topic, fact_id(key, quantity(at), percent))
                found = Announcement(key, percent, quantity(at), quantity(tally.value), cause)
                self.announced[fact] = found


def _fold(tally: Tally, meter: str, usage: Usage) -> None:
    """One event more. At equal times the later one is the latest."""
    aggregation = prices.METERS[meter]["aggregation"]
    if aggregation == "unique_count":
        tally.members.add(usage.members[meter])
        tally.value = min(len(tally.members), UNIQUE_BOUND) * prices.MICRO
        return
    value = usage.values[meter]
    if aggregation in ("max", "latest"):
        older, older_ms = tally.value, tally.as_of_ms
        is_wanted = value > older if aggregation == "max" else usage.time_ms >= (older_ms or 0)
        if older_ms is None or is_wanted:
            tally.value, tally.as_of_ms = value, usage.time_ms
    else:
        tally.value += value


def quantity(micro: int) -> str:
    """1e-6 units as decimal text without trailing zeros."""
    return f"{Decimal(micro).scaleb(-6).normalize():f}" if micro else "0"


def fact_id(key: CounterKey, at: str, percent: int) -> str:
    """The id of a crossing: a function of the fact alone."""
    fact = json.dumps([*key, at, percent], separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(fact.encode(), digest_size=16).hexdigest()
