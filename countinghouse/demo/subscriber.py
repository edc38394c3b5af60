"""A `read_committed` subscriber of `quota.exceeded` that notes when it read each breach.

Its observations are kept in a file, one JSON line a breach, so that a second run still knows the
latencies that the first one saw.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from schemas.quota import QuotaExceeded, UsageAlert
from schemas.topics import QUOTA_EXCEEDED, USAGE_ALERTS
from stores.kafka import KafkaAccess

Announced = QuotaExceeded | UsageAlert


@dataclass(frozen=True, slots=True)
class Observed:
    """A breach and how long after its event was sent it could be read."""

    breach: QuotaExceeded
    latency_ms: float | None


def _consumer(kafka: KafkaAccess, topic: str) -> Consumer:
    consumer = Consumer(
        {
            **kafka.confluent(),
            "group.id": f"countinghouse-demo-{uuid4()}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in partitions])
    return consumer


def read_all(kafka: KafkaAccess, topic: str) -> list[bytes]:
    """Every committed record that the topic holds now."""
    consumer = _consumer(kafka, topic)
    unfinished = {place.partition for place in consumer.assignment()}
    values = []
    while unfinished:
        message = consumer.poll(10)
        if message is None:
            raise TimeoutError(f"{topic} on {kafka.servers} did not answer for 10 s")
        problem = message.error()
        if problem is None:
            values.append(bytes(message.value() or b""))
        elif problem.code() == KafkaError._PARTITION_EOF:
            unfinished.discard(message.partition() or 0)  # an end that moves is told once more
    consumer.close()
    return values


def count_alerts(kafka: KafkaAccess) -> dict[str, int]:
    """Usage alerts on the topic, by threshold in per cent."""
    counts: dict[int, int] = {}
    for value in read_all(kafka, USAGE_ALERTS):
        percent = msgspec.json.decode(value, type=UsageAlert).threshold_percent
        counts[percent] = counts.get(percent, 0) + 1
    return {str(percent): counts[percent] for percent in sorted(counts)}


class BreachSubscriber:
    """Listens in a thread while the demo runs; `with` starts and stops it."""

    def __init__(
        self, kafka: KafkaAccess, notes: Path, on_breach: Callable[[Observed], None]
    ) -> None:
        self._consumer = _consumer(kafka, QUOTA_EXCEEDED)
        self._notes = notes
        self._on_breach = on_breach
        self._known = self._read_notes()
        self._observed: list[Observed] = []
        self._started_ms = time.time() * 1000
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="breach-subscriber", daemon=True)

    def __enter__(self) -> "BreachSubscriber":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def observed(self) -> list[Observed]:
        """What was read so far, in order of reading."""
        return list(self._observed)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                live = message.timestamp()[1] >= self._started_ms
                self._observe(bytes(message.value() or b""), time.time() * 1000 if live else None)

    def _observe(self, value: bytes, read_ms: float | None) -> None:
        """Note a breach; one that was told before we listened (`read_ms` None) has no latency."""
        breach = msgspec.json.decode(value, type=QuotaExceeded)
        if breach.id in self._known:
            self._observed.append(Observed(breach, self._known[breach.id]))
            return
        sent_ms = breach.cause.sent_ms
        latency_ms = None
        if read_ms is not None and sent_ms is not None:
            latency_ms = round(read_ms - sent_ms, 3)
        self._note(breach.id, latency_ms)
        observed = Observed(breach, latency_ms)
        self._observed.append(observed)
        self._on_breach(observed)

    def _read_notes(self) -> dict[str, float | None]:
        if not self._notes.exists():
            return {}
        lines = self._notes.read_text().splitlines()
        return {note["id"]: note["latency_ms"] for note in map(json.loads, lines)}

    def _note(self, breach_id: str, latency_ms: float | None) -> None:
        with self._notes.open("a") as notes:
            notes.write(json.dumps({"id": breach_id, "latency_ms": latency_ms}) + "\n")
