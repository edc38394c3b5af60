"""One process of the town: started, signalled, and watched for how long it takes to end."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from countinghouse.local.environment import ROOT
from countinghouse.local.probes import Probe

TELLING_SECONDS = 3

State = Literal["down", "running", "frozen", "stopping"]


@dataclass(frozen=True, slots=True)
class Stop:
    """How long a process took from SIGTERM to its end."""

    name: str
    milliseconds: int
    was_killed: bool = False


@dataclass
class Child:
    """A process that may be started again after each end."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Probe
    state: State = "down"
    process: "subprocess.Popen[bytes] | None" = None
    _asked_at: float = field(default=0.0)

    def start(self) -> None:
        """Start it unless it runs; returns before it is ready."""
        if self.state != "down":
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.state = "running"

    def freeze(self) -> None:
        """SIGSTOP: it holds its sockets, sends no heartbeat and knows nothing of it."""
        if self.state == "running":
            self._signal(signal.SIGSTOP)
            self.state = "frozen"

    def thaw(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        if self.state == "frozen":
            self._signal(signal.SIGCONT)
            self.state = "running"

    def terminate(self) -> None:
        """SIGTERM, as an orderly stop; `look` tells when it has ended."""
        self.thaw()
        if self.state == "running":
            self._asked_at = time.monotonic()
            self._signal(signal.SIGTERM)
            self.state = "stopping"

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait()
        self.state = "down"

    def look(self, patience_seconds: float) -> Stop | None:
        """The end of an orderly stop, if it has come; one that takes too long is killed."""
        if self.state != "stopping" or self.process is None:
            return None
        taken = time.monotonic() - self._asked_at
        if self.process.poll() is None and taken < patience_seconds:
            return None
        was_killed = self.process.returncode is None
        if was_killed:
            self._tell_where()
        self.kill()
        return Stop(self.name, int(taken * 1000), was_killed)

    def has_ended_by_itself(self) -> bool:
        """Has it ended though nobody asked it to?"""
        if self.state != "running" or self.process is None or self.process.poll() is None:
            return False
        self.state = "down"
        return True

    def last_line(self) -> str:
        """What it wrote last."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it wrote nothing"

    def _tell_where(self) -> None:
        """Have a Python process write what each of its threads is doing; it ends by that."""
        self._signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.process is not None:
                self.process.wait(TELLING_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)
