"""Our real parts for a test: broker, warehouse, ledger, workers as processes, traffic with a truth.

Everything lies in one home folder and on free ports; commands are run as a user runs them.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from countinghouse.client import PRODUCER_CONFIG
from countinghouse.init import prepare
from countinghouse.local.environment import settings_environment
from countinghouse.settings import Settings
from countinghouse.wiring import usage_log
from schemas.period import format_instant
from schemas.quota import INTERNAL, QuotaState, WindowKind
from schemas.topics import TopicNames
from stores.warehouse import client
from stores.warehouse.comparison import counted_positions
from tests.embedded import ROOT, free_ports, running_broker, running_front
from tests.reading import to_the_end

PATIENCE_SECONDS = 180
COMMAND_SECONDS = 300
PORTS = ("api_port", "counters_port", "landing_port", "relay_port")

CATALOG = """\
name: plant
currencies: [USD]
default_plan: free
meters:
  tokens:
    event_type: llm.request
    aggregation: sum
    value: [input_tokens, output_tokens]
  requests:
    event_type: llm.request
    aggregation: count
plans:
  free:
    base_fee: {USD: "0"}
    meters:
      tokens: {included: 1000, hard_limit: 100%}
"""


@dataclass
class Plant:
    """A home with its settings; broker and warehouse run, workers are started one by one."""

    settings: Settings
    environment: dict[str, str]

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a countinghouse command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "countinghouse", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    @contextmanager
    def worker(self, name: str, **changes: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A worker as a process for the block; its log is in the home."""
        with (self.settings.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "countinghouse", "worker", name],
                cwd=ROOT,
                env={**self.environment, **changes},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def warehouse(self) -> Iterator[Client]:
        """A client of the warehouse."""
        connection = client.connect(self.settings.clickhouse_url)
        try:
            yield connection
        finally:
            connection.close()

    def reconcile(self, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        """What `reconcile --json` says of the running month: exit code, rows, its last lines."""
        done = self.command("reconcile", "--json", *arguments)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr


@contextmanager
def running_plant(home: Path, catalog: str = CATALOG, **settings: Any) -> Iterator[Plant]:
    """Broker, warehouse and ledger of a home, prepared with a price list."""
    with (
        running_broker(home) as broker,
        plant_beside(home, catalog, **{"kafka": broker.servers, **settings}) as plant,
    ):
        yield plant


@contextmanager
def plant_beside(home: Path, catalog: str = CATALOG, **settings: Any) -> Iterator[Plant]:
    """Warehouse and ledger of a home beside a broker that the settings name."""
    with running_front(home) as front:
        chosen = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        stores = {"clickhouse": front.url, "home": home}
        made = Settings(**{"partitions": 3, "dedupe_window": 100, **chosen, **stores, **settings})
        ours = {"PYTHONPATH": str(ROOT), **settings_environment(made)}
        plant = Plant(made, {**os.environ, **ours})
        path = home / "catalog.yaml"
        path.write_text(catalog)
        applied = plant.command("catalog", "apply", str(path))
        assert applied.returncode == 0, applied.stderr
        prepare(made)
        yield plant


@dataclass
class Traffic:
    """Events of the running month, some of them again, and what they add up to."""

    plant: Plant
    tenants: int = 20
    pause_seconds: float = 0.002
    topic: str = "usage.events"
    tokens: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    largest: dict[str, int] = field(default_factory=dict)
    _sent: int = 0
    _recent: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(11)  # noqa: S311  the same usage every time
        access = self.plant.settings.kafka_access
        self._producer = Producer({**PRODUCER_CONFIG, **access.confluent()})

    def send(self, events: int) -> None:
        """Send new events; every twentieth is followed by an earlier one."""
        for _ in range(events):
            tenant = f"tenant-{self._random.randrange(self.tenants)}"
            tokens = self._random.randrange(1, 90)
            value = self._event(tenant, tokens)
            self._put(tenant, value)
            self.tokens[tenant] += tokens
            self.requests[tenant] += 1
            self.largest[tenant] = max(tokens, self.largest.get(tenant, 0))
            self._recent.append((tenant, value))
            if self._sent % 20 == 0:
                self._put(*self._random.choice(self._recent[-60:]))
        assert self._producer.flush(PATIENCE_SECONDS) == 0

    def go_on_with(self, topic: str) -> None:
        """Send to another topic from here on, and nothing again that went to the one before."""
        self.topic = topic
        self._recent.clear()

    def send_again(self, back: int) -> tuple[str, int]:
        """Send the event once more that was sent so many events ago: its tenant and tokens."""
        tenant, value = self._recent[-back]
        self._put(tenant, value)
        assert self._producer.flush(PATIENCE_SECONDS) == 0
        return tenant, int(json.loads(value)["data"]["input_tokens"])

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send all the time during the block."""
        stop = threading.Event()

        def flow() -> None:
            while not stop.wait(self.pause_seconds * 25):
                self.send(25)

        thread = threading.Thread(target=flow)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _put(self, tenant: str, value: bytes) -> None:
        self._producer.produce(self.topic, value, tenant)
        self._producer.poll(0)

    def _event(self, tenant: str, tokens: int) -> bytes:
        self._sent += 1
        event = {
            "specversion": "1.0",
            "id": f"event-{self._sent}",
            "source": "traffic",
            "type": "llm.request",
            "subject": tenant,
            "time": format_instant(time.time_ns() // 1_000_000),
            "data": {"model": "m", "input_tokens": tokens, "output_tokens": 0},
        }
        return json.dumps(event).encode()


def wait_for(reached: Callable[[], bool], what: str) -> None:
    """Return when the condition holds; fail when it does not come true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.1)


def records(plant: Plant, topic: str) -> Iterator[tuple[int, bytes, bytes | None]]:
    """What a committed reader finds on a topic, to its end: partition, key and value."""
    for message in to_the_end(plant.settings.kafka_access.confluent(), topic):
        yield message.partition() or 0, message.key() or b"", message.value()


def rows(plant: Plant, generation: int = 1) -> dict[bytes, tuple[int, QuotaState]]:
    """The counters on `quota.state`, and the partition of each."""
    topic = TopicNames.of(generation).state
    found = {key: (place, value) for place, key, value in records(plant, topic)}
    return {
        key: (place, msgspec.json.decode(value, type=QuotaState))
        for key, (place, value) in found.items()
        if value is not None and not key.startswith(INTERNAL)
    }


def announced(plant: Plant, generations: int = 1) -> Counter[tuple[str, str]]:
    """How often each fact was announced, by kind and id."""
    names = [TopicNames.of(generation + 1) for generation in range(generations)]
    return Counter(
        (kind, json.loads(value or b"")["id"])
        for each in names
        for kind, topic in (("exceeded", each.exceeded), ("alert", each.alerts))
        for _, _, value in records(plant, topic)
    )


def used(
    plant: Plant, meter: str, generation: int = 1, kind: WindowKind = "billing_period"
) -> dict[str, int]:
    """What the counters of a meter say, by tenant; windows of a kind are added up."""
    found: Counter[str] = Counter()
    for _, state in rows(plant, generation).values():
        if (state.meter, state.window.kind) == (meter, kind):
            found[state.tenant] += int(state.used)
    return dict(found)


def wait_until_counted(plant: Plant) -> None:
    """Return when counters and landing have read everything."""
    log = usage_log(plant.settings)
    ends = log.ends()

    def counted() -> bool:
        with plant.warehouse() as warehouse:
            return counted_positions(warehouse).covers(ends)

    wait_for(lambda: log.landed().covers(ends), "landing")
    wait_for(counted, "the counters")
