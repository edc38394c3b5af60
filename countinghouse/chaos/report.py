"""What a run found, as text for a person and as JSON for a script."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from countinghouse.chaos.siege import Done
from countinghouse.chaos.town import Ending
from countinghouse.chaos.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """How much was sent, what came of it, and the longest waits (milliseconds)."""

    seconds: int
    messages: int
    deliveries: int
    events: int
    repeats: int
    conflicts: int
    rejected: int
    counters: int
    alerts: int
    exceeded: int
    plan_changes: int
    slowest_stop: str
    slowest_stop_ms: int
    counting_stood_ms: int
    landing_stood_ms: int
    settled_ms: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run."""

    seed: int
    home: str
    figures: Figures
    faults: Sequence[Done]
    endings: Sequence[Ending]
    verdicts: Sequence[Verdict]

    @property
    def is_ok(self) -> bool:
        """Is every verdict clean?"""
        return all(verdict.is_ok for verdict in self.verdicts)

    @property
    def disturbances(self) -> int:
        """How often a process was disturbed."""
        return sum(done.fault.is_of_a_process for done in self.faults)

    def fault_counts(self) -> dict[str, int]:
        """How often each kind of fault was done to each kind of process."""
        return dict(sorted(Counter(_kind(done) for done in self.faults).items()))

    def as_json(self) -> dict[str, Any]:
        """Everything, for a script."""
        return {
            "seed": self.seed,
            "ok": self.is_ok,
            "disturbances": self.disturbances,
            "figures": asdict(self.figures),
            "fault_counts": self.fault_counts(),
            "faults": [
                {"done_ms": done.at_ms, "note": done.note, **asdict(done.fault)}
                for done in self.faults
            ],
            "ended_by_themselves": [asdict(ending) for ending in self.endings],
            "verdicts": [
                {
                    "name": verdict.name,
                    "ok": verdict.is_ok if verdict.is_asked else None,
                    "compared": verdict.compared,
                    "differences": verdict.first_differences(),
                }
                for verdict in self.verdicts
            ],
            "home": self.home,
        }


def _kind(done: Done) -> str:
    return f"{done.fault.kind} {done.fault.target.partition('-')[0]}".strip()


def lines(outcome: Outcome) -> Iterator[str]:
    """The report as lines of text."""
    figures = outcome.figures
    yield f"seed {outcome.seed}, {figures.seconds} s, {outcome.disturbances} faults of processes:"
    yield from (f"  {count:4} × {kind}" for kind, count in outcome.fault_counts().items())
    yield ""
    yield from (
        f"  {name.replace('_', ' '):<20} {_shown(value):>14}"
        for name, value in asdict(figures).items()
    )
    if outcome.endings:
        yield ""
        yield "ended by themselves and were started again:"
        yield from (f"  {e.name}, exit code {e.code}: {e.last_line}" for e in outcome.endings)
    yield ""
    for verdict in outcome.verdicts:
        yield verdict_line(verdict)
        yield from (f"       {text}" for text in verdict.first_differences())
    yield ""
    yield "OK: exact" if outcome.is_ok else f"NOT OK; everything is kept in {outcome.home}"


def verdict_line(verdict: Verdict) -> str:
    """What a verdict is, and of how much; of nothing there is none."""
    if not verdict.is_asked:
        return f"--   {verdict.name} (not asked)"
    mark = "ok  " if verdict.is_ok else "WRONG"
    return f"{mark} {verdict.name} ({verdict.compared:,} compared)"


def fault_line(done: Done) -> str:
    """A fault when it is done."""
    note = f"  ({done.note})" if done.note else ""
    lasts = f" for {done.fault.lasts_ms / 1000:.1f} s" if done.fault.lasts_ms else ""
    return f"{done.at_ms / 1000:7.1f} s  {done.fault}{lasts}{note}"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
