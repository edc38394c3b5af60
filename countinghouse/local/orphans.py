"""What a killed stack left running: found by the mark in its environment, and stopped.

The mark is inherited, so that processes which those processes started (Dagster's code servers and
runs) are found as well, and no list of process ids can be out of date.
"""

import time
from contextlib import suppress
from pathlib import Path

import psutil

from countinghouse.local.environment import MARK

GRACE_SECONDS = 15


def marked_processes(home: Path) -> list[psutil.Process]:
    """Every process of this home's stack, except ourselves and those that we run in."""
    ours = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in ours and _mark(process) == str(home)
    ]


def stop_orphans(home: Path) -> int:
    """Stop them, the stubborn ones by force; how many there were."""
    found = marked_processes(home)
    for process in found:
        _signal(process, force=False)
    alive = wait_for_end(found, GRACE_SECONDS)
    for process in alive:
        _signal(process, force=True)
    wait_for_end(alive, GRACE_SECONDS)
    return len(found)


def wait_for_end(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until they have ended; those that have not. One that nobody reaps has ended, too."""
    deadline = time.monotonic() + seconds
    while (alive := [one for one in processes if _is_alive(one)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None  # gone, or not ours to read


def _signal(process: psutil.Process, *, force: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if force else process.terminate()
