"""A process that was asked to stop ends, whatever it waits for, and no later than it could."""

import signal
import subprocess
import sys
import time

import pytest

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


DEAF = """
from confluent_kafka import Producer
from streams.stopping import asked_to_stop
stop = asked_to_stop(0.5)
producer = Producer({"bootstrap.servers": "127.0.0.1:1", "transactional.id": "t", "log_level": 0})
print("waits", flush=True)
producer.init_transactions(50)
"""
EAR = """
from streams.stopping import asked_to_stop
stop = asked_to_stop(50)
print("waits", flush=True)
stop.wait()
print("done", flush=True)
"""


def asked(script: str, number: int) -> tuple[float, int, str]:
    """How long it takes to end when asked, its exit code, and what it says."""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        began = time.monotonic()
        process.send_signal(number)
        told, wrong = process.communicate(timeout=60)
    return time.monotonic() - began, process.returncode, told + wrong


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_waits_within_a_library_and_hears_nothing_ends(number: int) -> None:
    took, code, told = asked(DEAF, number)
    assert took < 30
    assert (code, told.splitlines()[-1][:24]) == (0, "stopping took longer tha")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_hears_ends_by_itself(number: int) -> None:
    took, code, told = asked(EAR, number)
    assert took < 40
    assert (code, told) == (0, "done\n")
