"""What landing tells of itself; `streams.health` serves it.

Ready means progress: offsets moved lately, or there is nothing to read.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge

from schemas.topics import USAGE_EVENTS
from streams.batches import Deliveries

PATIENCE_SECONDS = 30
"""Without progress for so long, landing is not ready."""

LOOK_SECONDS = 1

Place = tuple[str, int]


class LandingHealth:
    """Landing's positions and figures. Written by landing's thread, read by the server's."""

    def __init__(self, epoch: int, catalog_version: int) -> None:
        self.registry = CollectorRegistry()
        self._events = self._counter("events", "Deliveries inserted.")
        self._batches = self._counter("batches", "Batches committed.")
        self._retries = self._counter("retries", "Batches read again after a failure.")
        self._seconds = self._counter("batch_seconds", "Time in building and inserting batches.")
        self._rejected = self._counter("rejected", "Elements rejected.", "reason")
        self._position = self._gauge("position", "Committed offset.", "topic", "partition")
        self._lag = self._gauge("lag", "Records to read.", "topic", "partition")
        self._gauge("epoch", "Epoch of usage.events.").set(epoch)
        self._gauge("catalog_version", "Price list in force.").set(catalog_version)
        self._committed: dict[Place, int] = {}
        self._progressed = self._looked = time.monotonic()

    def assigned(self, committed: Mapping[Place, int]) -> None:
        """Landing reads these partitions from these offsets on."""
        self._committed = dict(committed)
        self._lag.clear()
        self._position.clear()

    def moved(self, reached: Mapping[Place, int]) -> list[TopicPartition]:
        """What of a batch's reach is not committed yet."""
        news = [(place, n) for place, n in reached.items() if n > self._committed.get(place, 0)]
        return [TopicPartition(topic, partition, n) for (topic, partition), n in news]

    @contextmanager
    def inserting(self) -> Iterator[None]:
        """Measure building and inserting a batch."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds.inc(time.monotonic() - started)

    def landed(self, deliveries: Deliveries, offsets: list[TopicPartition]) -> None:
        """A batch is committed."""
        self._progressed = time.monotonic()
        self._batches.inc()
        self._events.inc(len(deliveries.events))
        for element in deliveries.rejected:
            self._rejected.labels(element.rejection.reason).inc()
        for place in offsets:
            self._committed[place.topic, place.partition] = place.offset
            self._position.labels(place.topic, place.partition).set(place.offset)

    def failed(self) -> None:
        """A batch will be read again."""
        self._retries.inc()

    def look(self, consumer: Consumer) -> None:
        """Every second: how much is there to read? Nothing, and a broker that says so, is well."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        lag = 0
        for place, committed in list(self._committed.items()):
            _, end = consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            behind = max(end - committed, 0)
            self._lag.labels(*place).set(behind)
            lag += behind
        if lag == 0 and _answers(consumer):
            self._progressed = time.monotonic()

    def problem(self) -> str | None:
        """Why landing is not ready, or None."""
        idle = time.monotonic() - self._progressed
        return f"no progress for {idle:.0f} s" if idle > PATIENCE_SECONDS else None

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"countinghouse_landing_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"countinghouse_landing_{name}", meaning, labels, registry=self.registry)


def _answers(consumer: Consumer) -> bool:
    try:
        consumer.list_topics(USAGE_EVENTS, timeout=1)
    except KafkaException:
        return False
    return True
