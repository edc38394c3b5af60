"""One run of a month at a time: between processes, and no longer than its process lives."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from schemas.errors import Conflict
from stores.ledger import Ledger

MONTH = "2026-10"
RUN = "run 3fd7bcf0-8d2c-4f7e-9f0b-0123456789ab"
HOLD = f"""
import sys
from stores.ledger import connect
with connect(sys.argv[1], clock=lambda: 1793495232123).alone("{MONTH}") as tell:
    if sys.argv[2]:
        tell(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(url: str, who: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the month until it is killed or its input ends."""
    pipe = subprocess.PIPE
    arguments = [sys.executable, "-c", HOLD, url, who]
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_since_when_and_by_which_run(url: str, ledger: Ledger) -> None:
    said = f"^{MONTH} is under way since 2026-11-01T01:07:12Z in {RUN}; wait until that has ended$"
    with another_process(url, RUN), pytest.raises(Conflict, match=said), ledger.alone(MONTH):
        pass


def test_before_it_has_a_run_its_process_is_told(url: str, ledger: Ledger) -> None:
    with another_process(url) as process:
        said = f"in process {process.pid}; wait"
        with pytest.raises(Conflict, match=said), ledger.alone(MONTH):
            pass


def test_a_killed_process_leaves_nothing_behind(url: str, ledger: Ledger) -> None:
    with another_process(url, RUN) as process:
        process.kill()
        process.wait()
        with ledger.alone(MONTH, wait=True):
            pass


def test_another_month_and_what_comes_after_go_on(url: str, ledger: Ledger) -> None:
    with another_process(url, RUN), ledger.alone("2026-09"):
        pass
    with ledger.alone(MONTH):
        pass
    with ledger.alone(MONTH):
        pass


def test_who_waits_comes_next(url: str, ledger: Ledger) -> None:
    came: list[str] = []

    def come() -> None:
        with ledger.alone(MONTH, wait=True):
            came.append("the next")

    with another_process(url, RUN) as process:
        waiting = Thread(target=come)
        waiting.start()
        assert came == []
        process.communicate()
        waiting.join(30)
    assert came == ["the next"]
