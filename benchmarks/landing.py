"""How fast one core lands usage, beside a bare consumer and ClickHouse's own JSON reader.

    python -m benchmarks.landing --kafka 127.0.0.1:19092 --clickhouse http://… --events 500000

Adds events to `usage.events`, one a message and then in arrays of 50, and reads them in three ways,
each in a process pinned to one core and a database of its own. It counts from the end of the first
batch on, so that no start is in it. CPU is the reading process's alone (all its threads);
wall-clock time also holds what the broker and the warehouse have not done yet.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from confluent_kafka import Consumer, Producer, TopicPartition

from countinghouse.client import PRODUCER_CONFIG
from schemas.catalog import Catalog
from schemas.errors import DependencyUnreachable
from schemas.topics import SENT_AT_HEADER, USAGE_EVENTS
from stores.kafka import KafkaAccess
from stores.log import KafkaLog
from stores.warehouse.client import connect, migrate
from streams.landing.landing import Landing
from streams.landing.landing_config import LandingConfig
from streams.topics import ensure_topics

TENANTS = 1000
PARTITIONS = 8
BATCH = 50_000
SHAPES = (1, 50)
CATALOG = Catalog.model_validate(
    {
        "name": "llm",
        "currencies": ("USD",),
        "default_plan": "free",
        "meters": {
            name: {"event_type": "llm.request", "aggregation": "sum", "value": values}
            for name, values in {
                "tokens": ("input_tokens", "output_tokens"),
                "input_tokens": ("input_tokens",),
                "output_tokens": ("output_tokens",),
            }.items()
        },
        "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {"tokens": {"included": "1000"}}}},
    }
)
RAW_TABLE = """
CREATE TABLE raw
(
    specversion String, id String, source LowCardinality(String), type LowCardinality(String),
    subject String, time DateTime64(3, 'UTC'),
    data Tuple(model String, input_tokens Decimal(18, 6), output_tokens Decimal(18, 6))
)
ENGINE = MergeTree ORDER BY (subject, id)
"""


def fill(servers: str, events: int, per_message: int) -> None:
    """Add events to the topic; an array of them is one tenant's."""
    producer = Producer({**PRODUCER_CONFIG, "bootstrap.servers": servers})
    run = uuid4().hex[:8]
    headers: list[tuple[str, str | bytes | None]] = [(SENT_AT_HEADER, b"1790000000000")]
    for first in range(0, events, per_message):
        while len(producer) > 50_000:
            producer.poll(0.1)
        tenant = f"tenant-{first // per_message % TENANTS}"
        found = [an_event(f"{run}-{n:09}", tenant, n) for n in range(first, first + per_message)]
        value = found[0] if per_message == 1 else b"[" + b",".join(found) + b"]"
        producer.produce(USAGE_EVENTS, value, tenant, headers=headers)
    producer.flush()


def an_event(event_id: str, tenant: str, n: int) -> bytes:
    """An event of about 230 bytes; fifty in a millisecond."""
    second, millisecond = divmod(n // 50, 1000)
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "benchmark",
        "type": "llm.request",
        "subject": tenant,
        "time": f"2026-10-05T12:{second // 60 % 60:02}:{second % 60:02}.{millisecond:03}Z",
        "data": {"model": "small", "input_tokens": n % 900, "output_tokens": n % 300},
    }
    return json.dumps(event).encode()


class Stopwatch:
    """CPU and wall-clock time since the first batch."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float, float]] = []

    def done(self, records: int) -> None:
        """So many records are dealt with by now."""
        if records and (not self._marks or records > self._marks[-1][0]):
            mark = (records, time.process_time(), time.perf_counter())
            self._marks = [*self._marks[:1], mark]

    def rates(self) -> tuple[float, float]:
        """Records a second of CPU, and of time."""
        (before, cpu, wall), (after, cpu_end, wall_end) = self._marks
        records = after - before
        return records / (cpu_end - cpu), records / (wall_end - wall)


Take = Callable[[list[bytes]], None]


def read_batches(consumer: Consumer, take: Take, watch: Stopwatch, records: int) -> None:
    """Read with a bare consumer and hand the values over in batches."""
    read = 0
    while read < records:
        messages = consumer.consume(BATCH, 0.2)
        take([message.value() or b"" for message in messages])
        read += len(messages)
        watch.done(read)
    consumer.close()


def bare(servers: str, url: str, group: str, watch: Stopwatch, records: int) -> None:
    """Read, and throw away."""
    read_batches(a_consumer(servers, group), lambda values: None, watch, records)


def native(servers: str, url: str, group: str, watch: Stopwatch, records: int) -> None:
    """Let ClickHouse read the JSON: no admission, no exactness check, no dead letters."""
    with connect(url) as client:
        client.command(RAW_TABLE)

        def insert(values: list[bytes]) -> None:
            rows = b"\n".join(value.strip(b"[]") for value in values)  # an array is no row
            if rows:
                client.raw_insert("raw", insert_block=rows, fmt="JSONEachRow")

        read_batches(a_consumer(servers, group), insert, watch, records)


def landing(servers: str, url: str, group: str, watch: Stopwatch, records: int) -> None:
    """Landing as it is: admission, three meters, exact decimals, a transaction a batch."""
    with connect(url) as client:
        migrate(client)
    kafka = KafkaAccess(servers)
    config = LandingConfig(
        kafka, url, 1, 1, CATALOG, PARTITIONS, None, None, 65_536, BATCH, port=0, group=group
    )
    stop, log = threading.Event(), KafkaLog(kafka, 1, group)
    before, ends = sum(log.landed().values()), sum(log.ends().values())
    running = Landing(config)
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    landed = 0
    while landed < ends - before:
        landed = sum(log.landed().values()) - before
        watch.done(landed)
        time.sleep(0.05)
    stop.set()
    thread.join()


Way = Callable[[str, str, str, Stopwatch, int], None]
WAYS: dict[str, Way] = {way.__name__: way for way in (bare, native, landing)}


def a_consumer(servers: str, group: str) -> Consumer:
    """A bare consumer of the topic, tuned as landing's is."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.subscribe([USAGE_EVENTS])
    return consumer


def a_group(servers: str, start: dict[int, int]) -> str:
    """A new consumer group that begins at these offsets."""
    group = f"benchmark-{uuid4()}"
    places = [TopicPartition(USAGE_EVENTS, partition, n) for partition, n in start.items()]
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group})
    if places:
        consumer.commit(offsets=places, asynchronous=False)
    consumer.close()
    return group


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A database for one way; its URL."""
    name = f"benchmark_{uuid4().hex}"
    with connect(url) as admin:
        admin.command(f"CREATE DATABASE {name}")
        yield f"{url.rpartition('/')[0]}/{name}"
        admin.command(f"DROP DATABASE {name}")


def measure(way: str, asked: argparse.Namespace) -> None:
    """Run one way and print its figures."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    watch = Stopwatch()
    start = {int(partition): n for partition, n in json.loads(asked.start).items()}
    group = a_group(asked.kafka, start)
    with own_database(asked.clickhouse) as url:
        WAYS[way](asked.kafka, url, group, watch, asked.events // asked.per_message)
    per_cpu, per_time = (rate * asked.per_message for rate in watch.rates())
    print(
        f"{asked.per_message:3} a message  {way:8} {per_cpu:10,.0f} events/s of CPU "
        f"{per_time:10,.0f} events/s of time   {WAYS[way].__doc__}",
        flush=True,
    )


def ends_of(log: KafkaLog) -> dict[int, int]:
    """The end of each partition that has one; a topic just made may need a moment."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return {partition: n for (_, partition), n in log.ends().items()}
        except DependencyUnreachable:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def main() -> None:
    """Fill, then run every way in a process of its own, for each shape of messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--clickhouse", required=True)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--per-message", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--start", default="{}", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        measure(asked.way, asked)
        return
    ensure_topics(KafkaAccess(asked.kafka), partitions=PARTITIONS, replication=1)
    log = KafkaLog(KafkaAccess(asked.kafka), 1)
    for per_message in SHAPES:
        start = json.dumps(ends_of(log))
        fill(asked.kafka, asked.events, per_message)
        for way in WAYS:
            options = ["--way", way, "--per-message", str(per_message), "--start", start]
            argv = [sys.executable, "-m", "benchmarks.landing", *sys.argv[1:], *options]
            subprocess.run(argv, check=True)


if __name__ == "__main__":
    main()
