"""The siege: does to the town what the schedule says, and undoes it when its time is over.

Owns the order of doing and undoing, and the record of both. Faults may overlap.
"""

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from countinghouse.chaos.child import Child
from countinghouse.chaos.plans import Plans
from countinghouse.chaos.schedule import Fault
from countinghouse.chaos.town import Town
from countinghouse.chaos.traffic import Traffic

TICK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Done:
    """A fault as it was done: when (milliseconds since the start), and what became of it."""

    fault: Fault
    at_ms: int
    note: str = ""


@dataclass
class Siege:
    """Carries out a schedule; `run` returns when everything that began is undone."""

    town: Town
    traffic: Traffic
    plans: Plans
    on_fault: Callable[[Done], None]
    done: list[Done] = field(default_factory=list)
    _undoing: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)
    _restart_after: dict[str, float] = field(default_factory=dict)

    def run(self, faults: list[Fault], duration_ms: int) -> None:
        """Do every fault in its time, and undo the last one."""
        self._started = time.monotonic()
        waiting = faults[::-1]
        while waiting or self._undoing or self._is_stopping() or self._elapsed_ms() < duration_ms:
            while waiting and waiting[-1].at_ms <= self._elapsed_ms():
                self._do(waiting.pop())
            while self._undoing and self._undoing[0][0] <= time.monotonic():
                heapq.heappop(self._undoing)[2]()
            self._restart_stopped()
            time.sleep(TICK_SECONDS)

    def _elapsed_ms(self) -> int:
        return int((time.monotonic() - self._started) * 1000)

    def _is_stopping(self) -> bool:
        return any(child.state == "stopping" for child in self.town.children.values())

    def _do(self, fault: Fault) -> None:
        at_ms = self._elapsed_ms()
        note = self._perform(fault)
        done = Done(fault, at_ms, note)
        self.done.append(done)
        self.on_fault(done)

    def _perform(self, fault: Fault) -> str:
        """Do it; a note when it met something else than planned."""
        if fault.kind == "change plans":
            before = self.plans.changes
            self.plans.change(fault.amount)
            return f"{self.plans.changes - before} tenants"
        if fault.kind == "jump clock":
            self.traffic.jump(fault.amount, fault.lasts_ms)
            return ""
        child = self.town.child(fault.target)
        was = child.state
        _ACTS[fault.kind](self, child, fault)
        expected = "down" if fault.kind == "add" else "running"
        return "" if was == expected else f"it was {was}"

    def _kill(self, child: Child, fault: Fault) -> None:
        child.kill()
        self._later(fault.lasts_ms, child.start)

    def _terminate(self, child: Child, fault: Fault) -> None:
        child.terminate()
        if child.state == "stopping":
            self._restart_after[child.name] = fault.lasts_ms / 1000

    def _remove(self, child: Child, fault: Fault) -> None:
        child.terminate()

    def _freeze(self, child: Child, fault: Fault) -> None:
        child.freeze()
        self._later(fault.lasts_ms, child.thaw)

    def _add(self, child: Child, fault: Fault) -> None:
        child.start()

    def _later(self, milliseconds: int, undo: Callable[[], None]) -> None:
        due = time.monotonic() + milliseconds / 1000
        heapq.heappush(self._undoing, (due, next(self._order), undo))

    def _restart_stopped(self) -> None:
        for stop in self.town.look():
            if (pause := self._restart_after.pop(stop.name, None)) is not None:
                self._later(int(pause * 1000), self.town.child(stop.name).start)


_ACTS: dict[str, Callable[[Siege, Child, Fault], None]] = {
    "kill": Siege._kill,
    "terminate": Siege._terminate,
    "remove": Siege._remove,
    "freeze": Siege._freeze,
    "add": Siege._add,
}
