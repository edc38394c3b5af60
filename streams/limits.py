"""A tenant's entitlements made ready for comparing: terms with integer limits, by meter index.

Owns the choice of the entry in force at an instant and what a quantity means under it. It counts
nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.decimals import scaled
from schemas.entitlement import EntitlementEntry, Entitlements, MeterEntitlement, Threshold
from schemas.quota import Decision

NEVER = 1 << 100
"""A quantity that no counter reaches."""


class Step(NamedTuple):
    """A quantity at which something is announced, once."""

    at_micro: int
    at: str
    percent: int
    is_hard: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What one meter may use: the steps in rising order, where to warn and where to deny."""

    included: str = ""
    steps: tuple[Step, ...] = ()
    warn_micro: int = NEVER
    deny_micro: int = NEVER
    limit: str | None = None

    @classmethod
    def of(cls, meter: MeterEntitlement) -> "Limits":
        """Read the decimal texts. Steps at 0 are left out: a pool of nothing alerts nobody.

        Raises:
            ValueError: a text is not a quantity.
        """
        steps = [_step(each, is_hard=False) for each in meter.thresholds]
        warn = min((step.at_micro for step in steps), default=NEVER)
        if meter.hard is None:
            return cls(meter.included or "", _rising(steps), warn)
        hard = _step(meter.hard, is_hard=True)
        rising = _rising([*steps, hard])
        return cls(meter.included or "", rising, warn, hard.at_micro, hard.at)

    def alarm(self, used: int) -> int:
        """The quantity of the first step beyond `used`."""
        return next((step.at_micro for step in self.steps if step.at_micro > used), NEVER)

    def decide(self, used: int) -> Decision:
        """Deny from the hard limit on, warn from the first threshold on, both inclusive."""
        if used >= self.deny_micro:
            return "deny"
        return "warn" if used >= self.warn_micro else "allow"


def _step(threshold: Threshold, *, is_hard: bool) -> Step:
    # not `at_micro`: a pool's 120 % may be beyond what one event may hold
    return Step(scaled(threshold.at, 6), threshold.at, threshold.percent, is_hard)


def _rising(steps: list[Step]) -> tuple[Step, ...]:
    return tuple(sorted(step for step in steps if step.at_micro > 0))


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Term:
    """What is in force over `[from_ms, until_ms)`, by meter index."""

    from_ms: int
    until_ms: int
    limits: tuple[Limits, ...]


class Timeline:
    """A tenant's terms without gaps, from the beginning of time to its end."""

    __slots__ = ("_starts", "terms", "version")

    def __init__(self, version: int, entries: Sequence[EntitlementEntry], meters: Sequence[str]):
        """Make terms of entries; the first one also holds before its instant.

        Raises:
            ValueError: an entry's instant or quantity cannot be read, or entries do not rise.
        """
        starts = [entry.from_ms for entry in entries]
        if sorted(set(starts)) != starts:
            raise ValueError("the entries' instants do not rise")
        bounds = zip([-NEVER, *starts[1:]], [*starts[1:], NEVER], strict=True)
        self.version = version
        self.terms = [
            Term(start, end, _by_index(entry, meters))
            for entry, (start, end) in zip(entries, bounds, strict=True)
        ]
        self._starts = starts[1:]

    @classmethod
    def of(
        cls, entitlements: Entitlements, default: EntitlementEntry, meters: Sequence[str]
    ) -> "Timeline":
        """A message's timeline; before its first entry the default plan is in force."""
        return cls(entitlements.version, (default, *entitlements.timeline), meters)

    def at(self, instant_ms: int) -> Term:
        """The term in force at an instant."""
        return self.terms[bisect_right(self._starts, instant_ms)]


def _by_index(entry: EntitlementEntry, meters: Sequence[str]) -> tuple[Limits, ...]:
    named = entry.meters
    return tuple(Limits.of(named[m]) if m in named else UNLIMITED for m in meters)
