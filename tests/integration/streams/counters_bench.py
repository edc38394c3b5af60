"""A small town for counters: topics of its own, workers as processes, usage with known truth."""

import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.entitlement import Entitlements
from schemas.quantity import format_micro, to_micro
from schemas.quota import POSITION_KEY, QuotaExceeded, QuotaState, StatePosition, UsageAlert
from schemas.topics import SENT_AT_HEADER
from stores.kafka import KafkaAccess
from streams.journal.counters import CountersConfig, CounterTopics
from tests.embedded import ROOT, free_ports
from tests.reading import to_the_end
from tests.unit.streams.builders import a_catalog, an_event

PARTITIONS = 2
PATIENCE_SECONDS = 25

_CONFIGS = {
    "usage": {"message.timestamp.type": "LogAppendTime"},
    "entitlements": {"cleanup.policy": "compact"},
    "state": {"cleanup.policy": "compact"},
    "alerts": {},
    "exceeded": {},
}


def config_of(
    servers: str, name: str, home: Path, web_port: int = 0, partitions: int = PARTITIONS
) -> CountersConfig:
    """A worker's settings on the topics of this name."""
    return CountersConfig(
        kafka=KafkaAccess(servers),
        epoch=1,
        catalog_version=1,
        catalog=a_catalog(),
        partitions=partitions,
        dedupe_window=1000,
        max_age_ms=None,
        max_lead_ms=None,
        max_bytes=65_536,
        flush_interval_s=0.2,
        web_port=web_port,
        data_dir=home,
        group_id=name,
        topics=CounterTopics(**{topic: f"{name}.{topic}" for topic in _CONFIGS}),
        session_timeout_ms=6000,
    )


@dataclass
class Truth:
    """What was sent, each event once."""

    used: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def rows(self) -> dict[tuple[str, str], str]:
        """`used` as it must be counted, by tenant and meter."""
        tokens = {(tenant, "tokens"): format_micro(micro) for tenant, micro in self.used.items()}
        return tokens | {(tenant, "calls"): str(n) for tenant, n in self.calls.items()}

    def crossings(self) -> set[tuple[str, str, int]]:
        """Steps of the default plan (100 units) that must be told: kind, tenant, per cent."""
        steps = [("alert", 80), ("alert", 100), ("alert", 120), ("hard", 100)]
        return {
            (kind, tenant, percent)
            for tenant, micro in self.used.items()
            for kind, percent in steps
            if micro >= percent * 1_000_000
        }


class Town:
    """Topics of one test and what flows through them."""

    def __init__(self, servers: str, home: Path, partitions: int = PARTITIONS) -> None:
        self.servers, self.home = servers, home
        self.name = f"counters-{uuid4().hex[:8]}"
        self.config = config_of(servers, self.name, home, partitions=partitions)
        self.topics = self.config.topics
        self.truth = Truth()
        self._random = random.Random(7)  # noqa: S311  the same usage every time
        self._sent: list[tuple[str, bytes]] = []
        wanted = [
            NewTopic(f"{self.name}.{topic}", partitions, 1, config=config)
            for topic, config in _CONFIGS.items()
        ]
        admin = AdminClient({"bootstrap.servers": servers})
        for made in admin.create_topics(wanted).values():
            made.result()
        self.producer = Producer(
            {
                "bootstrap.servers": servers,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "log_level": 0,
            }
        )

    def send_usage(self, events: int, tenants: int = 40, resends: float = 0.02) -> None:
        """Send events of whole and half units, and some of the last hundred again."""
        for _ in range(events):
            tenant = f"tenant-{self._random.randrange(tenants)}"
            n = self._random.choice([0, 0.5, 1, 2])
            event = an_event(f"{len(self._sent)}", n, tenant=tenant)
            self._send(tenant, json.dumps(event).encode())
            self.truth.used[tenant] += to_micro(str(n))
            self.truth.calls[tenant] += 1
            if self._random.random() < resends:
                self._send(*self._random.choice(self._sent[-100:]), again=True)
        self.producer.flush()

    def _send(self, tenant: str, value: bytes, *, again: bool = False) -> None:
        if not again:
            self._sent.append((tenant, value))
        headers: dict[str, str | bytes | None]
        headers = {SENT_AT_HEADER: str(time.time_ns() // 1_000_000)}
        self.producer.produce(self.topics.usage, value, tenant, headers=headers)
        self.producer.poll(0)

    def transactional_producer(self) -> Producer:
        """A producer whose usage is there only when committed."""
        producer = Producer(
            {
                "bootstrap.servers": self.servers,
                "partitioner": "murmur2_random",
                "transactional.id": f"{self.name}-usage",
                "log_level": 0,
            }
        )
        producer.init_transactions()
        return producer

    def send_entitlements(self, entitlements: Entitlements) -> None:
        """Publish a tenant's timeline."""
        value = msgspec.json.encode(entitlements)
        self.producer.produce(self.topics.entitlements, value, entitlements.tenant)
        self.producer.flush()

    @contextmanager
    def worker(self) -> Iterator["Worker"]:
        """A worker as a process of its own, ready; stopped at the end if it still runs."""
        worker = Worker(self)
        try:
            worker.wait_until_ready()
            yield worker
        finally:
            worker.kill()

    def read(self, topic: str) -> list[tuple[int, bytes, bytes]]:
        """All committed records of a topic as partition, key, value; each partition in order."""
        return [
            (message.partition() or 0, message.key() or b"", message.value() or b"")
            for message in to_the_end({"bootstrap.servers": self.servers}, topic)
        ]

    def states(self) -> dict[tuple[str, str], QuotaState]:
        """The rows as written last, by tenant and meter."""
        states = [
            msgspec.json.decode(value, type=QuotaState)
            for _, key, value in self.read(self.topics.state)
            if key != POSITION_KEY
        ]
        return {(state.tenant, state.meter): state for state in states}

    def rows(self) -> dict[tuple[str, str], str]:
        """`used` as written last, by tenant and meter."""
        return {key: state.used for key, state in self.states().items()}

    def told(self) -> list[tuple[str, str, int]]:
        """What a read_committed subscriber was told: kind, tenant, per cent."""
        alerts = [
            msgspec.json.decode(value, type=UsageAlert)
            for *_, value in self.read(self.topics.alerts)
        ]
        hard = [
            msgspec.json.decode(value, type=QuotaExceeded)
            for *_, value in self.read(self.topics.exceeded)
        ]
        told = [("alert", each.tenant, each.threshold_percent) for each in alerts]
        return told + [("hard", each.tenant, each.threshold_percent) for each in hard]

    def is_counted(self) -> bool:
        """Do the written positions cover all that was sent?"""
        positions = {
            partition: msgspec.json.decode(value, type=StatePosition)
            for partition, key, value in self.read(self.topics.state)
            if key == POSITION_KEY
        }
        assert all(position.complete for position in positions.values())
        return self._ends() == {p: position.usage for p, position in positions.items()}

    def _ends(self) -> dict[int, int]:
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "reader"})
        topic = self.topics.usage
        ends = {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p))[1]
            for p in consumer.list_topics(topic).topics[topic].partitions
        }
        consumer.close()
        return ends

    def wait_until_counted(self) -> None:
        """Until the written positions cover all that was sent."""
        wait_for(self.is_counted, "all usage to be counted")


class Worker:
    """One worker of counters as a process."""

    def __init__(self, town: Town) -> None:
        self.port = free_ports(1)[0]
        self.log = town.home / f"worker-{self.port}.log"
        told = [town.servers, town.name, str(self.port), str(town.config.partitions)]
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__, *told],
                cwd=town.home,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def get(self, page: str) -> str:
        """A page of the worker's web server."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{page}", timeout=2) as answer:
            return str(answer.read().decode())

    def is_ready(self) -> bool:
        """Does it say so itself?"""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/readyz") == "ready\n"
        except OSError:
            return False

    def wait_until_ready(self) -> None:
        """Until it is in the group and all its partitions are live."""
        wait_for(self.is_ready, "the worker to be ready")

    def kill(self) -> None:
        """SIGKILL, as a crash does."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> float:
        """SIGTERM; the seconds until it was gone."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        return time.monotonic() - began


def wait_for(is_done: Callable[[], bool], what: str) -> None:
    """Ask until it is so; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.1)


if __name__ == "__main__":
    from streams.worker.app import run

    _, servers, name, port, partitions = sys.argv
    run(config_of(servers, name, Path.cwd(), int(port), int(partitions)))
