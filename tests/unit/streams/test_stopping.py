"""A process that was asked to stop ends, whatever it waits for, and no later than it could."""

import subprocess
import sys
import time

HUNG = """
import threading
from streams.stopping import end_in_time
end_in_time({seconds})
{rest}
"""


def run(seconds: float, rest: str) -> tuple[float, "subprocess.CompletedProcess[str]"]:
    began = time.monotonic()
    script = HUNG.format(seconds=seconds, rest=rest)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    return time.monotonic() - began, done


def test_one_that_waits_for_ever_ends_and_says_so() -> None:
    _, done = run(0.2, "threading.Event().wait()")
    assert done.returncode == 0
    assert done.stderr == "stopping took longer than 0.2 s: what is unfinished is read again\n"


def test_one_that_is_done_does_not_wait() -> None:
    took, done = run(50, "")
    assert (done.returncode, done.stderr) == (0, "")
    assert took < 40
