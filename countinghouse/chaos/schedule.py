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
"""One process is disturbed in so long, on average."""

CHANGE_MS = 5_000
JUMP_MS = 20_000
"""How often plans change and clocks jump, beside that."""

SESSION_MS = 10_000
"""The longest session timeout of a member of ours: a second kill comes within it."""

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

    @property
    def is_of_a_process(self) -> bool:
        """Is a process disturbed, or just the world it counts?"""
        return bool(self.target)

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
    moments = sorted(_moments(draws, duration_ms, random), key=lambda moment: moment[0])
    faults = [crew.fault(draw, at_ms, random) for at_ms, draw in moments]
    return sorted([*faults, *_changes(duration_ms, random)])


def _moments(draws: list[_Draw], duration_ms: int, random: Random) -> Iterator[tuple[int, _Draw]]:
    """One draw in each slot of time; a double kill has its second within the session."""
    slot_ms = duration_ms // len(draws)
    for index, draw in enumerate(draws):
        at_ms = index * slot_ms + random.randrange(slot_ms)
        yield at_ms, draw
        if draw.is_twice:
            yield at_ms + random.randrange(500, SESSION_MS // 2), draw


def _changes(duration_ms: int, random: Random) -> Iterator[Fault]:
    """Plans that change and clocks that jump while all that happens."""
    for begin in range(0, duration_ms - CHANGE_MS, CHANGE_MS):
        at_ms = begin + random.randrange(CHANGE_MS)
        yield Fault(at_ms, "change plans", "", 0, random.randint(1, 3))
    for begin in range(0, duration_ms - JUMP_MS, JUMP_MS):
        at_ms, lasts_ms = begin + random.randrange(JUMP_MS), random.randint(2_000, 8_000)
        yield Fault(at_ms, "jump clock", "", lasts_ms, random.choice(JUMPS_MS))


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

    def fault(self, draw: _Draw, at_ms: int, random: Random) -> Fault:
        """The fault of a draw; to be called in the order of time."""
        lasts_ms = random.randint(draw.least_ms, draw.most_ms)
        kind = draw.kind
        if kind in ("add", "remove"):
            kind = self._sized(kind, draw.role)
        target = self._target(kind, draw.role, at_ms, random)
        self.busy_until[target] = at_ms + lasts_ms + (STOP_MS if kind == "terminate" else 0)
        return Fault(at_ms, kind, target, lasts_ms)

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
