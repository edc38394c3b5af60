"""A tenant's entitlements made ready for comparing: terms with integer limits, by meter index.

Owns the choice of the entry in force at an instant and what a quantity means under it. It counts
nothing.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.decimals import scaled
from schemas.entitlement import EntitlementEntry, Entitlements, QuotaEntitlement, Threshold
from schemas.quota import WINDOW_KINDS, Decision, WindowKind
from streams.counting.windows import DAY_MS

NEVER = 1 << 100
"""A quantity that no counter reaches."""


class Step(NamedTuple):
    """A quantity at which something is announced, once."""

    at_micro: int
    at: str
    percent: int
    is_hard: bool = False
    is_soft: bool = False


class Limits(NamedTuple):
    """What one meter may use in one window: the steps in rising order, where to warn, to deny.

    `grace_ms` is how long after a hard step was reached usage goes on.
    """

    included: str = ""
    steps: tuple[Step, ...] = ()
    warn_micro: int = NEVER
    deny_micro: int = NEVER
    limit: str | None = None
    grace_ms: int | None = None

    @classmethod
    def of(cls, meter: QuotaEntitlement) -> "Limits":
        """Read the decimal texts. Steps at 0 are left out: a pool of nothing alerts nobody.

        Raises:
            ValueError: a text is not a quantity.
        """
        steps = [_step(each) for each in meter.thresholds]
        if meter.soft is not None:
            steps.append(_step(meter.soft)._replace(is_soft=True))
        warn = min((step.at_micro for step in steps), default=NEVER)
        if meter.hard is None:
            return cls(meter.included or "", _rising(steps), warn)
        hard = _step(meter.hard)._replace(is_hard=True)
        return cls(
            included=meter.included or "",
            steps=_rising([*steps, hard]),
            warn_micro=min(warn, hard.at_micro),
            deny_micro=hard.at_micro if meter.deny_at is None else scaled(meter.deny_at, 6),
            limit=hard.at,
            grace_ms=None if meter.deny_after_s is None else meter.deny_after_s * 1000,
        )

    def alarm(self, used: int) -> int:
        """The quantity of the first step beyond `used`."""
        for step in self.steps:
            if step.at_micro > used:
                return step.at_micro
        return NEVER

    def decide(self, used: int) -> Decision:
        """Deny from the hard limit on, warn from the first threshold on, both inclusive."""
        if used >= self.deny_micro:
            return "deny"
        return "warn" if used >= self.warn_micro else "allow"


def _step(threshold: Threshold) -> Step:
    # not `at_micro`: a pool's 120 % may be beyond what one event may hold
    return Step(scaled(threshold.at, 6), threshold.at, threshold.percent)


def _rising(steps: list[Step]) -> tuple[Step, ...]:
    return tuple(sorted(step for step in steps if step.at_micro > 0))


UNLIMITED = Limits()


class Term(NamedTuple):
    """What is in force over `[from_ms, until_ms)`: by kind of window, then by meter index."""

    from_ms: int
    until_ms: int
    limits: Mapping[WindowKind, tuple[Limits, ...]]
    anchor_day: int


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
            Term(start, end, _by_kind(entry, meters), entry.anchor_day)
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

    def anchor_day(self, time_ms: int) -> int:
        """On which day the billing period begins that a time belongs to.

        A day, UTC, belongs to one period as a whole: to that of the term in force at its end.
        """
        return self.at(time_ms // DAY_MS * DAY_MS + DAY_MS - 1).anchor_day

    def anchors(self) -> list[tuple[int, int]]:
        """From which instant on billing periods begin on which day."""
        days = [term.anchor_day for term in self.terms]
        return [
            (term.from_ms, day)
            for term, day, before in zip(self.terms, days, [0, *days], strict=False)
            if day != before
        ]


def _by_kind(
    entry: EntitlementEntry, meters: Sequence[str]
) -> dict[WindowKind, tuple[Limits, ...]]:
    return {kind: tuple(_limits(entry, meter, kind) for meter in meters) for kind in WINDOW_KINDS}


def _limits(entry: EntitlementEntry, meter: str, kind: WindowKind) -> Limits:
    entitlement = entry.meters.get(meter)
    if entitlement is None:
        return UNLIMITED
    quota = entitlement if kind == "billing_period" else entitlement.windows.get(kind)
    return UNLIMITED if quota is None else Limits.of(quota)
