"""`countinghouse reconcile`, as a person would run it: at the end, and while everything runs.

Owns the running of the command. What it finds wrong while faults go on is a difference, too: it
compares as of positions, so that nothing has to stand still. Not to be answered is not.
"""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from countinghouse.chaos.verdict import Verdict
from countinghouse.local.environment import ROOT, child_environment
from countinghouse.settings import Settings

PAUSE_SECONDS = 20
RECONCILE_SECONDS = 120
DIFFERS = 1
PARTLY = 3


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the command said of a month."""

    compared: int
    differences: tuple[str, ...]
    code: int


def reconciled(settings: Settings, month: str) -> Reconciled:
    """Run `countinghouse reconcile MONTH`; an error is a difference."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "countinghouse", "reconcile", month, "--json"],
            cwd=ROOT,
            env=child_environment(settings),
            capture_output=True,
            text=True,
            timeout=RECONCILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Reconciled(0, (f"no answer for {RECONCILE_SECONDS} s",), PARTLY)
    rows = json.loads(done.stdout) if done.stdout.startswith("[") else []
    differences = [
        f"{row['tenant']}/{row['meter']}/{row['window']}/{row['from']}: {row['difference']}"
        for row in rows
        if row["difference"] != "0"
    ]
    if done.returncode and not differences:
        differences.append(f"exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return Reconciled(len(rows), tuple(differences), done.returncode)


class Auditor:
    """Reconciles again and again from a thread of its own, until `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._audit, name="chaos-auditor", daemon=True)
        self._compared = 0
        self._differences: list[str] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> Verdict:
        """End, and tell what was found wrong in all that was compared."""
        self._stopping.set()
        self._thread.join()
        return Verdict("reconcile, under way", self._compared, tuple(self._differences))

    def _audit(self) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            found = reconciled(self._settings, time.strftime("%Y-%m", time.gmtime()))
            if found.code in (0, DIFFERS):
                self._compared += found.compared
                self._differences += found.differences
