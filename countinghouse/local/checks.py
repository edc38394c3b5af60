"""What a machine must have for the stack to run: each check says what was found and a remedy.

`up` refuses to start on a failed check; `doctor` shows them all.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from countinghouse.local.jars import KAFKA_VERSION, cache_folder, missing_jars
from countinghouse.local.kafka import java
from countinghouse.local.probes import tcp_probe
from countinghouse.local.processes import Process, stack_processes
from countinghouse.settings import Settings
from schemas.errors import BillingError, InvalidInput
from stores.kafka_trouble import trouble
from stores.warehouse import client

DISK_BYTES = 2 * 10**9
MEMORY_BYTES = 3 * 10**9
KAFKA_SECONDS = 6
LETTING_GO_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return self.found if self.ok else f"{self.found}: {self.remedy}"


def start_checks(settings: Settings, processes: Sequence[Process]) -> Iterator[Check]:
    """What `up` looks at before it starts these processes."""
    yield home_check(settings)
    yield disk_check(settings)
    yield from port_checks(processes)
    yield from address_checks(settings)


def all_checks(settings: Settings, *, is_running: bool) -> Iterator[Check]:
    """What `doctor` looks at; a running stack's ports are its own."""
    yield python_check()
    yield from embedded_checks(settings)
    yield home_check(settings)
    yield disk_check(settings)
    yield memory_check()
    if not is_running:
        yield from _busy_ports(stack_processes(settings))
    yield from address_checks(settings)


def python_check() -> Check:
    """The versions that the dependencies are locked for."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check("python", fits, f"Python {version}", "use Python 3.11, 3.12 or 3.13")


def embedded_checks(settings: Settings) -> Iterator[Check]:
    """Java and jars for the embedded broker, chDB for the embedded warehouse."""
    if not settings.kafka:
        yield _java_check()
        yield _jars_check()
    if not settings.clickhouse:
        has_chdb = find_spec("chdb") is not None
        found = "chDB is installed" if has_chdb else "chDB is not installed"
        yield Check("chdb", has_chdb, found, "install countinghouse[local] (make does)")


def _java_check() -> Check:
    remedy = "install countinghouse[local], or set COUNTINGHOUSE_JAVA_HOME to a Java 17 or newer"
    try:
        command = [str(java()), "-version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        return Check("java", False, f"no Java runs ({error})", remedy)
    return Check("java", True, done.stderr.splitlines()[0])


def _jars_check() -> Check:
    missing = len(missing_jars(cache_folder()))
    there = f"Kafka {KAFKA_VERSION} is in {cache_folder()}"
    will_come = f"Kafka {KAFKA_VERSION}: {missing} jars will be downloaded at the next start"
    return Check("kafka jars", True, will_come if missing else there)


def home_check(settings: Settings) -> Check:
    """The home folder can be made and written."""
    home = settings.home.absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        remedy = "make it writable, or set COUNTINGHOUSE_HOME to another folder"
        return Check("home", False, f"{home} cannot be written ({error.strerror})", remedy)
    return Check("home", True, f"{home} is writable")


def disk_check(settings: Settings) -> Check:
    """Room for the logs of Kafka and the parts of ClickHouse."""
    folder = _existing(settings.home.absolute())
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    remedy = (
        f"free {DISK_BYTES / 1e9:.0f} GB, or set COUNTINGHOUSE_HOME to a folder on another disk"
    )
    return Check("disk", free >= DISK_BYTES, found, remedy)


def memory_check() -> Check:
    """The whole stack takes about 3 GB."""
    available = psutil.virtual_memory().available
    found = f"{available / 1e9:.1f} GB of memory available"
    return Check(
        "memory", available >= MEMORY_BYTES, found, "close other programs: 3 GB are needed"
    )


def port_checks(processes: Sequence[Process]) -> Iterator[Check]:
    """Every port of these processes is free, else who has it."""
    for process in processes:
        for setting, port in zip(process.port_settings, process.ports, strict=True):
            yield _port_check(f"COUNTINGHOUSE_{setting.upper()}", port)


def wait_for_ports(processes: Sequence[Process]) -> None:
    """Wait a moment for ports that are in use.

    A process that was killed lets go of its ports after it can no longer be found by its mark.
    """
    deadline = time.monotonic() + LETTING_GO_SECONDS
    ports = [port for process in processes for port in process.ports]
    while not all(map(_is_free, ports)) and time.monotonic() < deadline:
        time.sleep(0.05)


def _busy_ports(processes: Sequence[Process]) -> Iterator[Check]:
    """The ports that are not free, or one line for all."""
    checks = list(port_checks(processes))
    busy = [check for check in checks if not check.ok]
    yield from busy or [Check("ports", True, f"the stack's {len(checks)} ports are free")]


def _port_check(variable: str, port: int) -> Check:
    if _is_free(port):
        return Check(f"port {port}", True, f"port {port} is free")
    found = f"port {port} ({variable}) is used by {port_owner(port)}"
    return Check(f"port {port}", False, found, f"stop it, or set {variable} to a free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_owner(port: int) -> str:
    """The process that listens on a port, as far as we may see it."""
    try:
        for wire in psutil.net_connections("tcp"):
            if wire.laddr and wire.laddr.port == port and wire.pid:
                return f"{psutil.Process(wire.pid).name()} (process {wire.pid})"
    except psutil.Error:
        pass  # some systems show other users' connections to root only
    return "another program"


def address_checks(settings: Settings) -> Iterator[Check]:
    """External Kafka, ClickHouse and Postgres answer."""
    yield from kafka_checks(settings)
    if settings.clickhouse:
        yield _warehouse_check(settings.clickhouse)
    if settings.ledger and not settings.ledger.startswith("sqlite"):
        answers = tcp_probe(settings.ledger, 5432)()
        shown = settings.ledger.rpartition("@")[2]
        yield _address_check("ledger", "COUNTINGHOUSE_LEDGER", shown, answers)


def kafka_checks(settings: Settings) -> Iterator[Check]:
    """Kafka's settings do not contradict each other, and one of your own answers to them."""
    try:
        access = settings.kafka_access
    except InvalidInput as contradiction:
        yield Check("kafka", False, "Kafka cannot be reached so", str(contradiction))
        return
    if settings.kafka:
        found = trouble(access, KAFKA_SECONDS)
        what = f"COUNTINGHOUSE_KAFKA at {settings.kafka}"
        if found is None:
            yield Check("kafka", True, f"{what} answers")
        else:
            yield Check("kafka", False, f"{what}: {found.reason}", found.remedy)


def _warehouse_check(url: str) -> Check:
    shown = url.rpartition("@")[2].partition("?")[0]  # without the password
    found = f"COUNTINGHOUSE_CLICKHOUSE at {shown}"
    try:
        client.connect(url).close()
    except BillingError as problem:
        return Check("clickhouse", False, found, str(problem))
    return Check("clickhouse", True, f"{found} answers")


def _address_check(name: str, variable: str, address: str, answers: bool) -> Check:
    found = f"{variable} at {address} {'answers' if answers else 'does not answer'}"
    return Check(name, answers, found, "correct the address, start that server, or unset it")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return folder if folder.exists() else _existing(folder.parent)
