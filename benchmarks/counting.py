"""How fast one core counts through Kafka, beside a bare aiokafka loop on the same records.

    python benchmarks/counting.py --kafka 127.0.0.1:19092 --events 300000

Fills a topic of its own, one event a message, 1,000 tenants, two meters, then reads it three ways,
each in a process pinned to one core. CPU is what the process used from its first record on;
wall-clock time also holds the broker's share of the machine.
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
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.catalog import Catalog
from streams.app import CountersConfig, CounterTopics, build
from streams.shard import Shard

PARTITIONS, TENANTS = 8, 1000
FETCH_RECORDS = 2000
WAYS = {
    "bare": "aiokafka getmany, records thrown away",
    "shard": "aiokafka getmany, admitted and counted in memory",
    "counters": "counters: Faust, journal, exactly once",
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


def config_of(servers: str, name: str) -> CountersConfig:
    """Counters on the topics of this name; a new group begins at the beginning."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        web_port = free.getsockname()[1]
    return CountersConfig(
        kafka_servers=servers,
        epoch=1,
        catalog_version=1,
        catalog=CATALOG,
        dedupe_window=20_000,
        max_age_ms=None,
        max_lead_ms=None,
        max_bytes=65_536,
        flush_interval_s=0.5,
        web_port=web_port,
        data_dir=Path(tempfile.mkdtemp()),
        group_id=f"{name}-{uuid4().hex[:8]}",
        topics=CounterTopics(**{topic: f"{name}.{topic}" for topic in TOPICS}),
    )


TOPICS = {
    "usage": {"message.timestamp.type": "LogAppendTime"},
    "entitlements": {"cleanup.policy": "compact"},
    "state": {"cleanup.policy": "compact"},
    "alerts": {},
    "exceeded": {},
}


def fill(servers: str, name: str, events: int) -> None:
    """Make the topics and send the events."""
    admin = AdminClient({"bootstrap.servers": servers})
    wanted = [NewTopic(f"{name}.{t}", PARTITIONS, 1, config=config) for t, config in TOPICS.items()]
    for made in admin.create_topics(wanted).values():
        made.result()
    producer = Producer(
        {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 20}
    )
    for n in range(events):
        while len(producer) > 50_000:
            producer.poll(0.1)
        producer.produce(f"{name}.usage", an_event(n), f"tenant-{n % TENANTS}")
    producer.flush()


def an_event(n: int) -> bytes:
    """An event of about 230 bytes."""
    event = {
        "specversion": "1.0",
        "id": f"request-{n:012}",
        "source": "benchmark",
        "type": "llm.request",
        "subject": f"tenant-{n % TENANTS}",
        "time": "2026-10-05T12:00:00.250Z",
        "data": {"model": "small", "input_tokens": n % 900, "output_tokens": n % 300},
    }
    return json.dumps(event).encode()


class Stopwatch:
    """CPU and wall-clock time of this process from `start` on."""

    def start(self) -> None:
        """Now it begins."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Seconds since `start`."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"wall": wall, "cpu": cpu}


async def read_bare(config: CountersConfig, events: int, *, count: bool) -> dict[str, float]:
    """The bare loop; counting in a shard a partition, or not at all."""
    partitions = [TopicPartition(config.topics.usage, n) for n in range(PARTITIONS)]
    shards: dict[TopicPartition, Shard] = {tp: config.shard() for tp in partitions}
    watch = Stopwatch()
    async with AIOKafkaConsumer(
        bootstrap_servers=config.kafka_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    ) as consumer:
        consumer.assign(partitions)
        watch.start()
        while events:
            fetched = await consumer.getmany(timeout_ms=200, max_records=FETCH_RECORDS)
            for tp, records in fetched.items():
                events -= len(records)
                if count:
                    shards[tp].apply(records)
        return watch.read()


async def read_counters(config: CountersConfig, events: int) -> dict[str, float]:
    """The product: until all is counted and written."""
    logging.disable()
    app = build(config)
    watch = Stopwatch()
    async with app:
        while not app.intake.is_ready():
            await asyncio.sleep(0.01)
        watch.start()
        already = written(app.metrics.registry.get_sample_value)
        while written(app.metrics.registry.get_sample_value) < events:
            await asyncio.sleep(0.02)
        took = watch.read()
    share = 1 - already / events
    return {name: seconds / share for name, seconds in took.items()}


def written(sample: Callable[[str], float | None]) -> float:
    """Events in transactions that were committed."""
    return sample("countinghouse_counters_events_total") or 0.0


def measure(way: str, servers: str, name: str, events: int) -> dict[str, float]:
    """One way, in this process."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    config = config_of(servers, name)
    if way == "counters":
        return asyncio.run(read_counters(config, events))
    return asyncio.run(read_bare(config, events, count=way == "shard"))


def in_own_process(way: str, servers: str, name: str, events: int) -> dict[str, float]:
    """One way, in a process of its own."""
    argv = [sys.executable, __file__, "--kafka", servers, "--events", str(events)]
    done = subprocess.run(
        [*argv, "--way", way, "--topics", name], check=True, stdout=subprocess.PIPE
    )
    took: dict[str, float] = json.loads(done.stdout)
    return took


def report(servers: str, events: int) -> None:
    """Fill, measure each way, print a table."""
    name = f"benchmark-{uuid4().hex[:8]}"
    fill(servers, name, events)
    took = {way: in_own_process(way, servers, name, events) for way in WAYS}
    print(f"{'':52}{'events/s/core':>14}{'wall, events/s':>16}{'of counting':>13}")
    for way, meaning in WAYS.items():
        cpu, wall = took[way]["cpu"], took[way]["wall"]
        ratio = took["shard"]["cpu"] / cpu
        print(f"{meaning:52}{events / cpu:14,.0f}{events / wall:16,.0f}{ratio:12.0%}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kafka", default="127.0.0.1:19092", help="bootstrap servers")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--topics", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way is None:
        report(arguments.kafka, arguments.events)
    else:
        took = measure(arguments.way, arguments.kafka, arguments.topics, arguments.events)
        print(json.dumps(took))


if __name__ == "__main__":
    main()
