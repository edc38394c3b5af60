"""The demo as a user runs it: a process of its own, in a home of its own, on ports of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.embedded import ROOT, free_ports

PORTS = (
    "KAFKA_PORT",
    "KAFKA_CONTROLLER_PORT",
    "WAREHOUSE_PORT",
    "API_PORT",
    "SANDBOX_PORT",
    "COUNTERS_PORT",
    "LANDING_PORT",
    "RELAY_PORT",
    "DAGSTER_PORT",
)
RUN_SECONDS = 280


@dataclass
class Demo:
    """A home folder and the arguments that every run in it has."""

    home: Path
    arguments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        chosen = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        ours = {f"COUNTINGHOUSE_{name}": port for name, port in chosen.items()}
        home = {"COUNTINGHOUSE_HOME": str(self.home), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        self.environment = {**os.environ, **ours, **home}

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a countinghouse command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "countinghouse", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def run(self) -> tuple[dict[str, Any], str]:
        """Run the demo to its end: its report and what it printed."""
        path = self.home / "report.json"
        done = self.command("demo", *self.arguments, "--report", str(path))
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(path.read_text()), done.stdout

    def run_until(self, text: str) -> None:
        """Run the demo until it prints a text, then kill -9 it and all that it started."""
        with self._started() as process:
            assert process.stdout is not None
            for line in process.stdout:
                if text in line:
                    break
            else:
                raise AssertionError(f"the demo ended without printing {text!r}")
            self.kill_all()

    @contextmanager
    def _started(self) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            [sys.executable, "-m", "countinghouse", "demo", *self.arguments],
            cwd=ROOT,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def kill_all(self) -> int:
        """Kill -9 every process that works in this home; how many there were."""
        killed = 0
        for process in psutil.process_iter():
            if process.pid != os.getpid() and self._is_ours(process):
                process.send_signal(signal.SIGKILL)
                killed += 1
        return killed

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("COUNTINGHOUSE_HOME") == str(self.home)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            return False


def lasting(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what may differ between two runs: how long this one took."""
    return {name: part for name, part in report.items() if name != "stages"}
