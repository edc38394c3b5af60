"""How fast one core counts through Kafka, beside a bare aiokafka loop on the same records.

    python -m benchmarks.counting --kafka 127.0.0.1:19092 --events 1000000

Fills topics of its own, two meters: one event a message, arrays of 50, and as many counters as
events. Each is read three ways, each in a process pinned to one core; a plain Faust agent with a
Table reads a fiftieth. CPU is what the process used from its first record on; wall-clock time also
holds the broker's share of the machine.
"""

import argparse
import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.plain_faust import read_by_table
from schemas.catalog import Catalog
from stores.kafka import KafkaAccess
from streams.counting.shard import Shard
from streams.worker.app import CountersConfig, CounterTopics, build
from streams.worker.collector import calm_collector

PARTITIONS = 8
FETCH_RECORDS = 2000
WAYS = {
    "bare": "aiokafka getmany, records thrown away",
    "shard": "aiokafka getmany, admitted and counted in memory",
    "counters": "counters: Faust, journal, exactly once",
    "table": "a plain Faust agent with a Table, at least once",
}
CATALOG = Catalog.model_validate(
    {
        "name": "llm",
        "currencies": ("USD",),
        "default_plan": "free",
        "meters": {
            name: {"event_type": "llm.request", "aggregation": "sum", "value": [name]}
            for name in ("input_tokens", "output_tokens")
        },
        "plans": {
            "free": {
                "base_fee": {"USD": "0"},
                "meters": {"input_tokens": {"included": "1000000", "hard_limit": 100}},
            }
        },
    }
)


def config_of(
    servers: str, name: str, catalog: Catalog = CATALOG, group: str | None = None
) -> CountersConfig:
    """Counters on the topics of this name; a new group begins at the beginning."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        web_port = free.getsockname()[1]
    return CountersConfig(
        kafka=KafkaAccess(servers),
        epoch=1,
        catalog_version=1,
        catalog=catalog,
        partitions=PARTITIONS,
        dedupe_window=20_000,
        max_age_ms=None,
        max_lead_ms=None,
        max_bytes=65_536,
        flush_interval_s=0.5,
        web_port=web_port,
        data_dir=Path(tempfile.mkdtemp()),
        group_id=group or f"{name}-{uuid4().hex[:8]}",
        topics=CounterTopics(**{topic: f"{name}.{topic}" for topic in TOPICS}),
    )


TOPICS = {
    "usage": {"message.timestamp.type": "LogAppendTime"},
    "entitlements": {"cleanup.policy": "compact"},
    "state": {"cleanup.policy": "compact"},
    "alerts": {},
    "exceeded": {},
}


@dataclass(frozen=True)
class Load:
    """What is counted: how many events, how many in a message, of how many tenants.

    One of them may have half of all messages.
    """

    events: int
    batch: int
    tenants: int
    has_giant: bool = False

    @property
    def meaning(self) -> str:
        """For people."""
        size = "one event a message" if self.batch == 1 else f"arrays of {self.batch}"
        uneven = ", half of one tenant" if self.has_giant else ""
        return f"{size}, {2 * self.tenants:,} counters{uneven}"

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Key and value of each; an array is of one tenant."""
        for first in range(0, self.events, self.batch):
            number = first // self.batch
            is_giant = self.has_giant and number % 2 == 0
            tenant = "giant" if is_giant else f"tenant-{number % self.tenants}"
            events = [an_event(first + n, tenant) for n in range(self.batch)]
            yield tenant, json.dumps(events if self.batch > 1 else events[0]).encode()


def make_topics(servers: str, name: str) -> None:
    """Make the topics of a name."""
    admin = AdminClient({"bootstrap.servers": servers})
    wanted = [NewTopic(f"{name}.{t}", PARTITIONS, 1, config=config) for t, config in TOPICS.items()]
    for made in admin.create_topics(wanted).values():
        made.result()


def fill(servers: str, name: str, load: Load) -> None:
    """Make the topics and send the events."""
    make_topics(servers, name)
    producer = Producer(
        {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 20}
    )
    for tenant, value in load.messages():
        while len(producer) > 50_000:
            producer.poll(0.1)
        producer.produce(f"{name}.usage", value, tenant)
    producer.flush()


def an_event(n: int, tenant: str) -> dict[str, object]:
    """An event of about 230 bytes."""
    return {
        "specversion": "1.0",
        "id": f"request-{n:012}",
        "source": "benchmark",
        "type": "llm.request",
        "subject": tenant,
        "time": "2026-10-05T12:00:00.250Z",
        "data": {"model": "small", "input_tokens": n % 900, "output_tokens": n % 300},
    }


class Stopwatch:
    """CPU and wall-clock time of this process from `start` on."""

    def start(self) -> None:
        """Now it begins."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds since `start`."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"wall": wall, "cpu": cpu}


async def read_bare(config: CountersConfig, load: Load, *, count: bool) -> dict[str, float]:
    """The bare loop; counting in a shard a partition, or not at all."""
    partitions = [TopicPartition(config.topics.usage, n) for n in range(PARTITIONS)]
    shards: dict[TopicPartition, Shard] = {tp: config.shard(tp.partition) for tp in partitions}
    missing = load.events // load.batch
    watch = Stopwatch()
    async with AIOKafkaConsumer(
        **config.kafka.aiokafka(),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    ) as consumer:
        consumer.assign(partitions)
        watch.start()
        while missing:
            fetched = await consumer.getmany(timeout_ms=200, max_records=FETCH_RECORDS)
            for tp, records in fetched.items():
                missing -= len(records)
                if count:
                    shards[tp].apply(records)
        return watch.read()


async def read_counters(config: CountersConfig, load: Load) -> dict[str, float]:
    """The product: until all is counted and written."""
    logging.disable()
    app = build(config)
    watch = Stopwatch()
    async with app:
        while not app.intake.is_ready():
            await asyncio.sleep(0.01)
        watch.start()
        already = written(app.metrics.registry.get_sample_value)
        while written(app.metrics.registry.get_sample_value) < load.events:
            await asyncio.sleep(0.02)
        took = watch.read()
    share = 1 - already / load.events
    return {name: seconds / share for name, seconds in took.items()}


def written(sample: Callable[[str], float | None]) -> float:
    """Events in transactions that were committed."""
    return sample("countinghouse_counters_events_total") or 0.0


def measure(way: str, servers: str, name: str, load: Load) -> dict[str, float]:
    """One way, in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    calm_collector()
    config = config_of(servers, name)
    if way == "counters":
        return asyncio.run(read_counters(config, load))
    if way == "table":
        return asyncio.run(read_by_table(servers, config.topics.usage, load.events))
    return asyncio.run(read_bare(config, load, count=way == "shard"))


def in_own_process(way: str, servers: str, name: str, load: Load) -> dict[str, float]:
    """One way, in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.counting", "--kafka", servers, "--way", way]
    argv += ["--topics", name, "--load", json.dumps(asdict(load))]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
    took: dict[str, float] = json.loads(done.stdout)
    return took


def report(servers: str, load: Load, ways: Iterable[str]) -> None:
    """Fill, measure each way, print a table."""
    name = f"benchmark-{uuid4().hex[:8]}"
    fill(servers, name, load)
    took = {way: in_own_process(way, servers, name, load) for way in ways}
    print(f"{load.meaning:58}{'events/s/core':>14}{'wall, events/s':>16}{'of counting':>13}")
    for way, seconds in took.items():
        cpu, wall = seconds["cpu"], seconds["wall"]
        ratio = f"{took['shard']['cpu'] / cpu:.0%}" if "shard" in took else ""
        print(f"{WAYS[way]:58}{load.events / cpu:14,.0f}{load.events / wall:16,.0f}{ratio:>13}")
    print(flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kafka", default="127.0.0.1:19092", help="bootstrap servers")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--topics", help=argparse.SUPPRESS)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way is not None:
        load = Load(**json.loads(arguments.load))
        took = measure(arguments.way, arguments.kafka, arguments.topics, load)
        print(json.dumps(took))
        return
    events = arguments.events
    ours = ("bare", "shard", "counters")
    report(arguments.kafka, Load(events, 1, 1_000), ours)
    report(arguments.kafka, Load(events, 50, 1_000), ours)
    report(arguments.kafka, Load(events, 1, events // 2), ours)
    report(arguments.kafka, Load(events, 1, 1_000, has_giant=True), ours)
    report(arguments.kafka, Load(events // 50, 1, 1_000), ("table",))


if __name__ == "__main__":
    main()
