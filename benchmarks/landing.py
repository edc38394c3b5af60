"""How fast one core lands usage, beside a bare consumer and ClickHouse's own JSON reader.

    python -m benchmarks.landing --kafka 127.0.0.1:19092 --clickhouse http://… --events 500000

Adds events to `usage.events`, one a message, and reads the topic from its beginning in three ways,
each in a process and a database of its own. It counts from the end of the first batch on, so that
no start is in it. CPU is the reading process's alone (all its threads); wall-clock time also holds
the broker's and the warehouse's share of the machine.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from confluent_kafka import Consumer, Producer

from countinghouse.client import PRODUCER_CONFIG
from schemas.catalog import Catalog
from schemas.topics import SENT_AT_HEADER, USAGE_EVENTS
from stores.log import KafkaLog
from stores.warehouse.client import connect, migrate
from streams.landing import Landing, LandingConfig
from streams.topics import ensure_topics

TENANTS = 1000
BATCH = 50_000
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


def fill(servers: str, events: int) -> None:
    """Add events to the topic."""
    producer = Producer({**PRODUCER_CONFIG, "bootstrap.servers": servers})
    run = uuid4().hex[:8]
    for n in range(events):
        while len(producer) > 50_000:
            producer.poll(0.1)
        tenant = f"tenant-{n % TENANTS}"
        headers: list[tuple[str, str | bytes | None]] = [(SENT_AT_HEADER, b"1790000000000")]
        producer.produce(
            USAGE_EVENTS, an_event(f"{run}-{n:09}", tenant, n), tenant, headers=headers
        )
    producer.flush()


def an_event(event_id: str, tenant: str, n: int) -> bytes:
    """An event of about 230 bytes."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "benchmark",
        "type": "llm.request",
        "subject": tenant,
        "time": "2026-10-05T12:00:00.250Z",
        "data": {"model": "small", "input_tokens": n % 900, "output_tokens": n % 300},
    }
    return json.dumps(event).encode()


class Stopwatch:
    """CPU and wall-clock time since the first batch."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float, float]] = []

    def done(self, events: int) -> None:
        """So many events are dealt with by now."""
        if events and (not self._marks or events > self._marks[-1][0]):
            mark = (events, time.process_time(), time.perf_counter())
            self._marks = [*self._marks[:1], mark]

    def rates(self) -> tuple[float, float]:
        """Events a second of CPU, and of time."""
        (before, cpu, wall), (after, cpu_end, wall_end) = self._marks
        events = after - before
        return events / (cpu_end - cpu), events / (wall_end - wall)


Take = Callable[[list[bytes]], None]


def read_batches(servers: str, take: Take, watch: Stopwatch, events: int) -> None:
    """Read the topic with a bare consumer and hand its values over in batches."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"benchmark-{uuid4()}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([USAGE_EVENTS])
    read = 0
    while read < events:
        messages = consumer.consume(BATCH, 0.2)
        take([message.value() or b"" for message in messages])
        read += len(messages)
        watch.done(read)
    consumer.close()


def bare(servers: str, url: str, watch: Stopwatch, events: int) -> None:
    """Read, and throw away."""
    read_batches(servers, lambda values: None, watch, events)


def native(servers: str, url: str, watch: Stopwatch, events: int) -> None:
    """Let ClickHouse read the JSON: no admission, no exactness check, no dead letters."""
    with connect(url) as client:
        client.command(RAW_TABLE)

        def insert(values: list[bytes]) -> None:
            if values:
                client.raw_insert("raw", insert_block=b"\n".join(values), fmt="JSONEachRow")

        read_batches(servers, insert, watch, events)


def landing(servers: str, url: str, watch: Stopwatch, events: int) -> None:
    """Landing as it is: admission, three meters, exact decimals, a transaction a batch."""
    with connect(url) as client:
        migrate(client)
    group = f"benchmark-{uuid4()}"
    config = LandingConfig(
        servers, url, 1, 1, CATALOG, None, None, 65_536, BATCH, port=0, group=group
    )
    stop, log = threading.Event(), KafkaLog(servers, 1, group)
    thread = threading.Thread(target=Landing(config).run, args=(stop,))
    thread.start()
    landed = 0
    while landed < events:
        landed = sum(log.landed().values())
        watch.done(landed)
        time.sleep(0.02)
    stop.set()
    thread.join()


WAYS: dict[str, Callable[[str, str, Stopwatch, int], None]] = {
    way.__name__: way for way in (bare, native, landing)
}


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """A database for one way; its URL."""
    name = f"benchmark_{uuid4().hex}"
    with connect(url) as admin:
        admin.command(f"CREATE DATABASE {name}")
        yield f"{url.rpartition('/')[0]}/{name}"
        admin.command(f"DROP DATABASE {name}")


def measure(way: str, servers: str, url: str, events: int) -> None:
    """Run one way and print its figures."""
    watch = Stopwatch()
    WAYS[way](servers, url, watch, events)
    per_cpu, per_time = watch.rates()
    print(
        f"{way:8} {per_cpu:10,.0f} events/s of CPU {per_time:10,.0f} events/s of time   "
        f"{WAYS[way].__doc__}"
    )


def main() -> None:
    """Fill, then run every way in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--clickhouse", required=True)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--way", choices=WAYS)
    asked = parser.parse_args()
    if asked.way:
        with own_database(asked.clickhouse) as url:
            measure(asked.way, asked.kafka, url, asked.events)
        return
    ensure_topics(asked.kafka, partitions=8, replication=1)
    fill(asked.kafka, asked.events)
    events = sum(KafkaLog(asked.kafka, 1).ends().values())
    for way in WAYS:
        options = ["--kafka", asked.kafka, "--clickhouse", asked.clickhouse, "--way", way]
        argv = [sys.executable, "-m", "benchmarks.landing", *options, "--events", str(events)]
        subprocess.run(argv, check=True)


if __name__ == "__main__":
    main()
