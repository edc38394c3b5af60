"""Which faults happen when: a pure function of the seed, the duration and the crew's size.

Owns the drawing alone. Who is named is chosen among those that would be up if every fault went as
planned; what is done to them is the siege's matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal["kill", "terminate", "freeze", "add", "remove", "change plans", "jump clock"]

COUNTERS = "counters"
LANDING = "landing"
BROKER = "broker"
FRONT = "front"
RELAY = "relay"
CREWS = (COUNTERS, LANDING)

MEAN_MS = 12_000
"""One fault in so long, on average."""

SESSION_MS = 10_000
"""The longest session time-out of a member of ours: a second kill comes within it."""

STOP_MS = 10_000
"""The longest that a process may take from SIGTERM to its end."""

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
JUMPS_MS = (
    -3 * _HOUR_MS,
    -26 * _HOUR_MS,
    -8 * _DAY_MS,
    -34 * _DAY_MS,
    50 * 60_000,
    -40 * _DAY_MS,  # beyond what is admitted: expected rejections
    6 * _HOUR_MS,
)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is done to whom, and after how long it is undone; milliseconds since the start.

    `amount` is how far a clock jumps, or how many tenants change their plan.
    """

    at_ms: int
    kind: Kind
    target: str
    lasts_ms: int
    amount: int = 0

    def __str__(self) -> str:
        name = f"{self.kind} {self.target}".strip()
        return f"{name} ({self.amount})" if self.amount else name


@dataclass(frozen=True, slots=True)
class _Draw:
    """A line of the table of faults: its weight, and how long it lasts at least and at most."""

    weight: int
    kind: Kind
    role: str
    least_ms: int
    most_ms: int
    is_twice: bool = False


_DRAWS = (
    _Draw(10, "kill", COUNTERS, 200, 4_000),
    _Draw(8, "kill", LANDING, 200, 4_000),
    _Draw(4, "kill", COUNTERS, 200, 3_000, is_twice=True),
    _Draw(2, "kill", LANDING, 200, 3_000, is_twice=True),
    _Draw(6, "terminate", COUNTERS, 0, 2_000),
    _Draw(5, "terminate", LANDING, 0, 2_000),
    _Draw(9, "freeze", COUNTERS, 11_000, 17_000),
    _Draw(7, "freeze", LANDING, 7_000, 13_000),
    _Draw(3, "add", COUNTERS, 0, 0),
    _Draw(3, "remove", COUNTERS, 0, 0),
    _Draw(2, "add", LANDING, 0, 0),
    _Draw(2, "remove", LANDING, 0, 0),
    _Draw(3, "kill", BROKER, 300, 5_000),
    _Draw(3, "terminate", BROKER, 0, 3_000),
    _Draw(4, "kill", FRONT, 200, 3_000),
    _Draw(2, "kill", FRONT, 20_000, 20_000),
    _Draw(2, "freeze", FRONT, 5_000, 15_000),
    _Draw(2, "kill", RELAY, 200, 4_000),
    _Draw(10, "change plans", "", 0, 0),
    _Draw(8, "jump clock", "", 2_000, 8_000),
)

_MUSTS = (
    [draw for draw in _DRAWS if draw.kind == "kill" and draw.role in CREWS],
    [draw for draw in _DRAWS if draw.kind == "freeze" and draw.role == COUNTERS],
    [draw for draw in _DRAWS if draw.role == BROKER],
    [draw for draw in _DRAWS if draw.role == FRONT],
)
"""However short a run is, it has one of each."""


def schedule(seed: int, duration_ms: int, workers: int, landers: int) -> list[Fault]:
    """The faults of a run, in order; the same arguments, the same faults."""
    random = Random(seed)  # noqa: S311  reproducible on purpose
    draws = [random.choice(group) for group in _MUSTS]
    more = max(0, duration_ms // MEAN_MS - len(draws))
    draws += random.choices(_DRAWS, [draw.weight for draw in _DRAWS], k=more)
    random.shuffle(draws)
    crew = _Crew({COUNTERS: workers, LANDING: landers})
    slot_ms = duration_ms // len(draws)
    faults = [
        fault
        for index, draw in enumerate(draws)
        for fault in crew.faults(draw, index * slot_ms + random.randrange(slot_ms), random)
    ]
    return sorted(faults)


@dataclass
class _Crew:
    """Who would be there, and until when each is in somebody's hands."""

    sizes: dict[str, int]
    members: dict[str, list[str]] = field(default_factory=dict)
    busy_until: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = dict(self.sizes)
        for role, size in self.sizes.items():
            self.members[role] = [f"{role}-{number}" for number in range(1, size + 1)]

    def faults(self, draw: _Draw, at_ms: int, random: Random) -> Iterator[Fault]:
        """One fault, or two for a double kill."""
        yield self._fault(draw, at_ms, random)
        if draw.is_twice:
            later_ms = at_ms + random.randrange(500, SESSION_MS // 2)
            yield self._fault(draw, later_ms, random)

    def _fault(self, draw: _Draw, at_ms: int, random: Random) -> Fault:
        lasts_ms = random.randint(draw.least_ms, draw.most_ms)
        kind, amount = draw.kind, 0
        if kind == "change plans":
            amount = random.randint(1, 6)
        elif kind == "jump clock":
            amount = random.choice(JUMPS_MS)
        elif kind in ("add", "remove"):
            kind = self._sized(kind, draw.role)
        target = self._target(kind, draw.role, at_ms, random)
        self.busy_until[target] = at_ms + lasts_ms + (STOP_MS if kind == "terminate" else 0)
        return Fault(at_ms, kind, target, lasts_ms, amount)

    def _sized(self, kind: Kind, role: str) -> Kind:
        """Never fewer than one less than at first, nor more than two beyond."""
        present, first = len(self.members[role]), self.sizes[role]
        if present <= max(1, first - 1):
            return "add"
        return "remove" if present >= first + 2 else kind

    def _target(self, kind: Kind, role: str, at_ms: int, random: Random) -> str:
        if role not in self.members:
            return role
        if kind == "add":
            self._numbers[role] += 1
            name = f"{role}-{self._numbers[role]}"
            self.members[role].append(name)
            return name
        members = self.members[role]
        free = [name for name in members if self.busy_until.get(name, 0) <= at_ms]
        name = random.choice(free or members)
        if kind == "remove":
            members.remove(name)
        return name
