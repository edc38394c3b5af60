"""How long from sending an event until a subscriber reads that it reached a hard limit.

    python -m benchmarks.latency --kafka 127.0.0.1:19092 --seconds 20

One worker at its default settings, a producer and a `read_committed` subscriber, all on this
machine. The way is broken down by instants taken on the machine's one clock: sent, appended by the
broker, counted, transaction begun, transaction ended, read.
"""

import argparse
import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

import msgspec
from confluent_kafka import Consumer, Producer

from benchmarks.counting import an_event, config_of, make_topics
from schemas.catalog import Catalog
from schemas.quota import QuotaExceeded
from streams.counting.shard import Changes
from streams.journal.counters import CountersConfig
from streams.journal.journal import Journal
from streams.journal.journal_writer import JournalWriter
from streams.record import Record
from streams.worker.app import build
from streams.worker.collector import calm_collector

EVENTS_TO_LIMIT = 10
TICK_S = 0.004
STAGES = ("to the broker", "fetch, count", "wait", "transaction", "to the subscriber")
LOADS = ((40_000, 50), (8_000, 1), (2_000, 1), (300, 1))
"""The busy ones first: a broker that has just started compiles itself, and takes twice as long."""


def now_ms() -> float:
    """Now, in milliseconds, on the clock that all processes here share."""
    return time.time_ns() / 1e6


@dataclass(frozen=True)
class Load:
    """Events a second, and how many of them are in a message."""

    rate: int
    batch: int

    @property
    def to_limit(self) -> int:
        """Messages after which a tenant reaches its limit: 30 to 200 crossings a second."""
        return EVENTS_TO_LIMIT if self.rate // self.batch < 4_000 else 10 * EVENTS_TO_LIMIT


def catalog_of(load: Load) -> Catalog:
    """One meter that counts events, and a limit that is reached soon."""
    limit = str(load.to_limit * load.batch)
    card = {"included": limit, "hard_limit": 100, "thresholds": []}
    return Catalog.model_validate(
        {
            "name": "latency",
            "currencies": ("USD",),
            "default_plan": "free",
            "meters": {"requests": {"event_type": "llm.request", "aggregation": "count"}},
            "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {"requests": card}}},
        }
    )


def config_for(servers: str, name: str, load: Load) -> CountersConfig:
    """The counters at their default flush interval."""
    return config_of(servers, name, catalog_of(load))


# The worker, with a note of each instant ----------------------------------------------------------


def serve(servers: str, name: str, load: Load) -> None:
    """Count until standard input ends, then print the instants of each crossing by its id."""
    logging.disable()
    calm_collector()
    instants: dict[str, dict[str, float]] = {}
    with noting(instants):
        asyncio.run(_serve(config_for(servers, name, load)))
    print(json.dumps(instants))


async def _serve(config: CountersConfig) -> None:
    app = build(config)
    async with app:
        while not app.intake.is_ready():
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def noting(instants: dict[str, dict[str, float]]) -> Any:
    """Wrap counting and writing so that each crossing's instants are noted."""
    count, write = Journal.count, JournalWriter.write

    def noted_count(journal: Journal, records: Iterable[Record], end: int = 0) -> None:
        before, arrived = len(journal.shard._crossings), dict[bytes | None, float]()
        count(journal, noting_arrivals(records, arrived), end)
        for crossing in journal.shard._crossings[before:]:
            appended = arrived[crossing.tenant.encode()]
            instants[crossing.id] = {"appended": appended, "counted": now_ms()}

    async def noted_write(writer: JournalWriter, changes: Changes, position: int) -> None:
        begun = now_ms()
        await write(writer, changes, position)
        ended = now_ms()
        for crossing in changes.crossings:
            instants[crossing.id] |= {"begun": begun, "ended": ended}

    setattr(Journal, "count", noted_count)  # noqa: B010
    setattr(JournalWriter, "write", noted_write)  # noqa: B010
    yield
    setattr(Journal, "count", count)  # noqa: B010
    setattr(JournalWriter, "write", write)  # noqa: B010


def noting_arrivals(
    records: Iterable[Record], arrived: dict[bytes | None, float]
) -> Iterator[Record]:
    """The records as they are; when each key's last was appended is noted on the way."""
    for record in records:
        arrived[record.key] = float(record.timestamp)
        yield record


# The subscriber and the producer ------------------------------------------------------------------


def subscribe(servers: str, topic: str, seconds: float) -> None:
    """Read what is committed for a while; print when each fact was sent and read."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": uuid4().hex,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.subscribe([topic])
    end, read = time.monotonic() + seconds, {}
    while time.monotonic() < end:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            at, fact = now_ms(), msgspec.json.decode(message.value() or b"", type=QuotaExceeded)
            read[fact.id] = {"sent": float(fact.cause.sent_ms or 0), "read": at}
    consumer.close()
    print(json.dumps(read))


def produce(servers: str, topic: str, load: Load, seconds: float) -> None:
    """Send at an even pace; a hundred tenants in turn, each replaced when it is at its limit."""
    producer = Producer(
        {"bootstrap.servers": servers, "partitioner": "murmur2_random", "linger.ms": 1}
    )
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * load.rate / load.batch:
            generation, place = divmod(sent, 100 * load.to_limit)
            tenant = f"tenant-{generation}-{place % 100}"
            events = [an_event(sent * load.batch + n, tenant) for n in range(load.batch)]
            value = json.dumps(events if load.batch > 1 else events[0])
            producer.produce(topic, value, tenant, headers={"sent-at": b"%d" % now_ms()})
            sent += 1
        producer.poll(TICK_S)
    producer.flush()


def measure(servers: str, load: Load, seconds: float) -> list[dict[str, float]]:
    """Run the three for a while; the instants of each crossing that was read."""
    config = config_for(servers, f"latency-{uuid4().hex[:8]}", load)
    name = config.topics.usage.removesuffix(".usage")
    make_topics(servers, name)
    worker = _start("serve", servers, name, load)
    next(iter(worker.stdout or ()))  # it says when it is ready
    subscriber = _start("subscribe", servers, name, load, seconds + 8)
    time.sleep(4)  # until the subscriber has joined: what it reads late counts against us
    produce(servers, config.topics.usage, load, seconds)
    told, _ = subscriber.communicate()
    noted, _ = worker.communicate()
    read, instants = json.loads(told), json.loads(noted)
    return [instants[fact] | read[fact] for fact in read if fact in instants]


def _start(
    role: str, servers: str, name: str, load: Load, seconds: float = 0
) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "benchmarks.latency", "--kafka", servers, "--role", role]
    argv += ["--topics", name, "--load", f"{load.rate},{load.batch}", "--seconds", str(seconds)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def stages(one: dict[str, float]) -> list[float]:
    """Milliseconds of each stage of a crossing's way."""
    instants = [one[name] for name in ("sent", "appended", "counted", "begun", "ended", "read")]
    return [after - before for before, after in pairwise(instants)]


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def report(load: Load, crossings: Sequence[dict[str, float]], seconds: float) -> None:
    """Print the whole way's percentiles and each stage's."""
    whole = [one["read"] - one["sent"] for one in crossings]
    what = f"{load.rate:,} events/s, {load.batch} a message, {len(whole) / seconds:.0f} crossings/s"
    print(f"{what:56}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}  ms")
    rows = [("the whole way", whole)]
    rows += list(zip(STAGES, map(list, zip(*map(stages, crossings), strict=True)), strict=True))
    for name, values in rows:
        figures = [percentile(values, share) for share in (0.5, 0.9, 0.99, 1)]
        print(f"  {name:54}" + "".join(f"{figure:8.0f}" for figure in figures))
    print(flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kafka", default="127.0.0.1:19092", help="bootstrap servers")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--role", choices=["serve", "subscribe"], help=argparse.SUPPRESS)
    parser.add_argument("--topics", help=argparse.SUPPRESS)
    parser.add_argument("--load", help="events a second, events a message: only this load")
    arguments = parser.parse_args()
    loads = [Load(*each) for each in LOADS]
    if arguments.load:
        loads = [Load(*map(int, arguments.load.split(",")))]
    if arguments.role == "serve":
        serve(arguments.kafka, arguments.topics, loads[0])
    elif arguments.role == "subscribe":
        subscribe(arguments.kafka, f"{arguments.topics}.exceeded", arguments.seconds)
    else:
        for load in loads:
            report(load, measure(arguments.kafka, load, arguments.seconds), arguments.seconds)


if __name__ == "__main__":
    main()
