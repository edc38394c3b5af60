"""The town: a broker, a warehouse front, a relay, counters and landers, in one home folder.

Owns the processes, their ports and settings. What is done to them is the siege's matter.
"""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from countinghouse import init
from countinghouse.chaos.child import Child, Stop
from countinghouse.chaos.elements import MAX_BYTES
from countinghouse.chaos.prices import price_list
from countinghouse.chaos.schedule import BROKER, COUNTERS, CREWS, FRONT, LANDING, RELAY
from countinghouse.chaos.traffic import DEDUPE_WINDOW, MAX_AGE_MS, MAX_LEAD_MS
from countinghouse.local.environment import child_environment
from countinghouse.local.front.token import ensure_token
from countinghouse.local.jars import cache_folder, ensure_jars
from countinghouse.local.probes import Probe, http_probe, kafka_probe
from countinghouse.settings import Settings
from schemas.errors import BillingError
from stores.kafka_settings import KafkaSettings
from stores.ledger import Ledger

PORTS = range(20_000, 32_000)
"""Below the range that systems take outgoing ports from: else a dead process's port may be taken,
or a client that tries to reach it may reach itself."""

START_SECONDS = 120
STOP_SECONDS = 20
"""After so long a process that was asked to stop is killed; over 10 s is a failure anyway."""

RESTART_SECONDS = 1

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """A process that ended though nobody asked it to, and its last word."""

    name: str
    code: int
    last_line: str


@dataclass
class Town:
    """The processes of a chaos run. Counters and landers are named `counters-1`, `landing-1` …"""

    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    _restarts: dict[str, float] = field(default_factory=dict)

    @classmethod
    def at(cls, home: Path, partitions: int) -> "Town":
        """A town in a folder of its own, on ports that are free now."""
        ports = free_ports()
        embedded = {**dict(KafkaSettings()), "kafka_port": next(ports)}
        settings = Settings(
            home=home,
            **embedded,
            clickhouse="",
            ledger="",
            kafka_controller_port=next(ports),
            warehouse_port=next(ports),
            relay_port=next(ports),
            partitions=partitions,
            dedupe_window=DEDUPE_WINDOW,
            max_event_age=timedelta(milliseconds=MAX_AGE_MS),
            max_event_lead=timedelta(milliseconds=MAX_LEAD_MS),
            max_event_bytes=MAX_BYTES,
        )
        town = cls(settings)
        town._ports = ports
        return town

    _ports: Iterator[int] = field(default_factory=lambda: iter(()))

    def open(self, report: Report) -> Ledger:
        """Start the stores and the relay, make topics and tables, apply the price list.

        Raises:
            BillingError: a process does not come up; the text names its log.
        """
        home = self.settings.home
        home.mkdir(parents=True, exist_ok=True)
        ensure_jars(cache_folder(), report)
        ensure_token(home / "warehouse.token")
        for name in (BROKER, FRONT):
            self.child(name).start()
        for name in (BROKER, FRONT):
            self.await_ready(name)
        prices = home / "prices.yaml"
        prices.write_text(price_list())
        books = init.open_ledger(self.settings, prices)
        init.prepare(self.settings)
        self.child(RELAY).start()
        return books

    def child(self, name: str) -> Child:
        """A process of the town, running or not."""
        if name not in self.children:
            self.children[name] = self._new_child(name)
        return self.children[name]

    def members(self, role: str) -> list[str]:
        """The crew of a role that was ever started."""
        return [name for name in self.children if name.startswith(f"{role}-")]

    def await_ready(self, name: str) -> None:
        """Return when a process is ready. Raises BillingError when it ends or takes too long."""
        child = self.child(name)
        deadline = time.monotonic() + START_SECONDS
        while not child.is_ready():
            if child.has_ended_by_itself() or time.monotonic() > deadline:
                raise BillingError(f"{name} does not start: {child.last_line()} (see {child.log})")
            time.sleep(0.1)

    def look(self) -> list[Stop]:
        """Take note of stops that have ended, and start again what ended by itself."""
        for child in self.children.values():
            if child.has_ended_by_itself():
                code = child.process.returncode if child.process else 0
                self.endings.append(Ending(child.name, code, child.last_line()))
                self._restarts[child.name] = time.monotonic() + RESTART_SECONDS
        for name in [n for n, at in self._restarts.items() if at <= time.monotonic()]:
            del self._restarts[name]
            self.child(name).start()
        ended = [child.look(STOP_SECONDS) for child in self.children.values()]
        stops = [stop for stop in ended if stop is not None]
        self.stops += stops
        return stops

    def close(self) -> None:
        """Stop everything in order: the crews and the relay first, the stores after them."""
        crews = [name for role in CREWS for name in self.members(role)]
        for names in ([*crews, RELAY], [FRONT, BROKER]):
            for name in names:
                self.child(name).terminate()
            while any(self.child(name).state == "stopping" for name in names):
                self.look()
                time.sleep(0.02)

    def kill(self) -> None:
        """Leave nothing running, whatever state it is in."""
        for child in self.children.values():
            child.kill()

    def _new_child(self, name: str) -> Child:
        role = name.partition("-")[0]
        argv, port_setting, is_ready = self._role(role)
        environment = {**child_environment(self.settings), "PYTHONFAULTHANDLER": "1"}
        if role in CREWS:
            port = next(self._ports)
            is_ready = http_probe("127.0.0.1", port, "/readyz")
            environment |= {
                "COUNTINGHOUSE_HOME": str(self.settings.home / name),
                "COUNTINGHOUSE_LEDGER": self.settings.ledger_url,
                "COUNTINGHOUSE_CLICKHOUSE": self.settings.clickhouse_url,
                port_setting: str(port),
            }
        log = self.settings.home / "logs" / f"{name}.log"
        return Child(name, (sys.executable, "-m", *argv), environment, log, is_ready)

    def _role(self, role: str) -> tuple[tuple[str, ...], str, Probe]:
        settings = self.settings
        front = http_probe("127.0.0.1", settings.warehouse_port, "/ping")
        relay = http_probe("127.0.0.1", settings.relay_port, "/readyz")
        return {
            BROKER: (("countinghouse.local.kafka",), "", kafka_probe(settings.kafka_access)),
            FRONT: (("countinghouse.local.front",), "", front),
            RELAY: (("countinghouse", "worker", "relay"), "", relay),
            COUNTERS: (("countinghouse", "worker", COUNTERS), "COUNTINGHOUSE_COUNTERS_PORT", relay),
            LANDING: (("countinghouse", "worker", LANDING), "COUNTINGHOUSE_LANDING_PORT", relay),
        }[role]


def free_ports() -> Iterator[int]:
    """Ports that nothing listens on, each once."""
    start = time.time_ns() // 1_000_000 % len(PORTS)
    for number in (*PORTS[start:], *PORTS[:start]):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
        yield number
