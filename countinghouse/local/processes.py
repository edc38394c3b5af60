"""The processes of the local stack, as data: what they run, where, and when they are ready.

The order is that of readiness: stores first, then (after the init step) our own workers.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from countinghouse.local.probes import Probe, dagster_daemon_probe, http_probe, kafka_probe
from countinghouse.settings import Settings
from stores.kafka import KafkaAccess

STORES = "stores"
WORKERS = "workers"
DEFINITIONS = "dagster_project.definitions"


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its command, the settings that name its ports, and its readiness."""

    name: str
    phase: str  # STORES before the init step, WORKERS after it
    argv: tuple[str, ...]
    port_settings: tuple[str, ...]
    ports: tuple[int, ...]
    is_ready: Probe
    companion_of: str = ""  # started whenever that one is

    @property
    def port(self) -> int | None:
        """The port that its users connect to."""
        return self.ports[0] if self.ports else None

    def is_chosen(self, only: Sequence[str] | None) -> bool:
        """Whether it belongs to a choice of names; None chooses all."""
        return only is None or (self.companion_of or self.name) in only


def stack_processes(settings: Settings, only: Sequence[str] | None = None) -> list[Process]:
    """What the stack consists of under these settings; an external store is not started."""
    processes: list[Process] = []
    if not settings.kafka:
        processes.append(_kafka(settings))
    if not settings.clickhouse:
        processes.append(_warehouse(settings))
    processes += [_worker(settings, name) for name in WORKER_NAMES]
    processes += [_dagster(settings), _dagster_daemon(settings)]
    return [process for process in processes if process.is_chosen(only)]


WORKER_NAMES = ("sandbox", "api", "relay", "landing", "counters")


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _kafka(settings: Settings) -> Process:
    return Process(
        name="kafka",
        phase=STORES,
        argv=_module("countinghouse.local.kafka"),
        port_settings=("kafka_port", "kafka_controller_port"),
        ports=(settings.kafka_port, settings.kafka_controller_port),
        is_ready=kafka_probe(KafkaAccess(settings.kafka_servers)),
    )


def _warehouse(settings: Settings) -> Process:
    return Process(
        name="warehouse",
        phase=STORES,
        argv=_module("countinghouse.local.front"),
        port_settings=("warehouse_port",),
        ports=(settings.warehouse_port,),
        is_ready=http_probe("127.0.0.1", settings.warehouse_port, "/ping"),
    )


def _worker(settings: Settings, name: str) -> Process:
    port: int = getattr(settings, f"{name}_port")
    return Process(
        name=name,
        phase=WORKERS,
        argv=(*_module("countinghouse"), "worker", name),
        port_settings=(f"{name}_port",),
        ports=(port,),
        is_ready=http_probe(settings.host, port, "/readyz"),
    )


def _dagster(settings: Settings) -> Process:
    address = ("--host", settings.host, "--port", str(settings.dagster_port))
    return Process(
        name="dagster",
        phase=WORKERS,
        argv=(*_module("dagster_webserver"), "--module-name", DEFINITIONS, *address),
        port_settings=("dagster_port",),
        ports=(settings.dagster_port,),
        is_ready=http_probe(settings.host, settings.dagster_port, "/server_info"),
    )


def _dagster_daemon(settings: Settings) -> Process:
    """Apart from the web server: `dagster dev`, killed, leaves both running and starts two more."""
    return Process(
        name="dagster-daemon",
        phase=WORKERS,
        argv=(*_module("dagster._daemon"), "run", "--module-name", DEFINITIONS),
        port_settings=(),
        ports=(),
        is_ready=dagster_daemon_probe(settings.host, settings.dagster_port),
        companion_of="dagster",
    )
