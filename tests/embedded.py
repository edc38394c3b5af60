"""The embedded broker and the warehouse front for tests: started on free ports, stopped after."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120  # the first time the jars come over the network


@dataclass(frozen=True)
class BrokerProcess:
    """A running embedded broker."""

    servers: str
    process: "subprocess.Popen[str]"


@dataclass(frozen=True)
class FrontProcess:
    """A running warehouse front."""

    home: Path
    port: int
    process: "subprocess.Popen[str]"

    @property
    def token(self) -> str:
        """The password of the user `countinghouse`."""
        return (self.home / "warehouse.token").read_text().strip()

    @property
    def url(self) -> str:
        """Its address as the settings write it."""
        return f"http://countinghouse:{self.token}@127.0.0.1:{self.port}/default"


def free_ports(count: int) -> list[int]:
    """Ports that nothing uses at this moment, and that this process has not given out before.

    They lie below those that a system gives to outgoing connections (32768 and above on Linux), and
    test processes side by side share none: the port of a server that a test kills and starts again
    must not be another's in between.
    """
    return list(islice(filter(_is_free, _PORTS), count))


def _ports_of_this_process() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ours = range(10_000 + worker, 32_000, workers)
    return cycle(random.SystemRandom().sample(ours, len(ours)))


_PORTS = _ports_of_this_process()


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


@contextmanager
def running_broker(
    home: Path, module: str = "countinghouse.local.kafka", changes: Mapping[str, str] = {}
) -> Iterator[BrokerProcess]:
    """An embedded broker on the folder of a home; `module` runs it."""
    port, controller_port = free_ports(2)
    environment = {
        **changes,
        "COUNTINGHOUSE_HOME": str(home),
        "COUNTINGHOUSE_KAFKA_PORT": str(port),
        "COUNTINGHOUSE_KAFKA_CONTROLLER_PORT": str(controller_port),
    }
    servers = f"127.0.0.1:{port}"
    with running(module, environment, home / "kafka.log") as process:
        admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
        wait_until(lambda: _answers(admin), process, home / "kafka.log")
        yield BrokerProcess(servers, process)


@contextmanager
def running_front(home: Path, folder: Path = ROOT) -> Iterator[FrontProcess]:
    """A warehouse front on the folder of a home, started from a working directory."""
    port = free_ports(1)[0]
    environment = {"COUNTINGHOUSE_HOME": str(home), "COUNTINGHOUSE_WAREHOUSE_PORT": str(port)}
    with running("countinghouse.local.front", environment, home / "front.log", folder) as process:
        wait_until(lambda: _listens(port), process, home / "front.log")
        yield FrontProcess(home, port, process)


@contextmanager
def running(
    module: str, environment: dict[str, str], log: Path, folder: Path = ROOT
) -> Iterator["subprocess.Popen[str]"]:
    """A module as a process with its output in a file; SIGTERM at the end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(is_ready: Callable[[], bool], process: "subprocess.Popen[str]", log: Path) -> None:
    """Wait for readiness; fail with the log's end when the process dies or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} is not ready: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def _answers(admin: AdminClient) -> bool:
    with suppress(KafkaException):
        admin.list_topics(timeout=1)
        return True
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
