"""What the topics hold for a `read_committed` reader: plain readings, kept apart from `streams`."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from countinghouse.chaos.traffic import NUMBER_HEADER
from countinghouse.chaos.truth import CounterKey, Fact
from schemas.errors import DependencyUnreachable
from stores.kafka import KafkaAccess

POLL_SECONDS = 45
"""Longer than a transaction may stay open behind the back of a process that died."""

ASK_SECONDS = 5
INTERNAL = b"\x00"


class Read(NamedTuple):
    """A record as it was read."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class TopicReader:
    """Reads a topic from its beginning; `news` gives what was committed since the last time."""

    def __init__(self, kafka: KafkaAccess, topic: str, partitions: int) -> None:
        self._topic = topic
        self._ends = Ends(kafka, partitions)
        self._consumer = Consumer(
            {
                **kafka.confluent(),
                "group.id": f"chaos-{uuid4()}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        self._reached = dict.fromkeys(range(partitions), 0)
        self._consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in self._reached])

    def news(self) -> Iterator[Read]:
        """Every record up to the present end, which transactions under way may put off.

        Raises:
            DependencyUnreachable: the end cannot be reached for longer than a transaction lasts.
        """
        ends = self._ends.of(self._topic)
        deadline = time.monotonic() + POLL_SECONDS
        while any(reached < ends[n] for n, reached in self._reached.items()):
            for message in self._consumer.consume(10_000, 0.2):
                deadline = time.monotonic() + POLL_SECONDS
                yield from self._take(message)
            if time.monotonic() > deadline:
                raise DependencyUnreachable(f"{self._topic} cannot be read to its end")

    def _take(self, message: Any) -> Iterator[Read]:
        """Records, and how far they reach: an end is told by itself, behind transaction markers."""
        problem = message.error()
        if problem is None:
            self._reached[message.partition()] = message.offset() + 1
            yield _read(message)
        elif problem.code() == KafkaError._PARTITION_EOF:
            self._reached[message.partition()] = message.offset()

    def close(self) -> None:
        """End it."""
        self._consumer.close()
        self._ends.close()


class Ends:
    """The end offsets of topics, open transactions included."""

    def __init__(self, kafka: KafkaAccess, partitions: int) -> None:
        self._partitions = range(partitions)
        self._consumer = Consumer(
            {
                **kafka.confluent(),
                "group.id": f"chaos-{uuid4()}",
                "isolation.level": "read_uncommitted",
                "log_level": 0,
            }
        )

    def of(self, topic: str) -> dict[int, int]:
        """The end of each partition, asked again while a broker is starting.

        Raises:
            DependencyUnreachable: the broker does not answer for long.
        """
        return {n: self._end(TopicPartition(topic, n)) for n in self._partitions}

    def _end(self, place: TopicPartition) -> int:
        deadline = time.monotonic() + POLL_SECONDS
        while time.monotonic() < deadline:
            with suppress(KafkaException):
                return self._consumer.get_watermark_offsets(place, ASK_SECONDS)[1]
            time.sleep(0.1)
        raise DependencyUnreachable(f"Kafka does not tell where {place.topic} ends")

    def close(self) -> None:
        """End it."""
        self._consumer.close()


def _read(message: Any) -> Read:
    return Read(
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        dict(message.headers() or ()),
    )


def read_all(kafka: KafkaAccess, topic: str, partitions: int) -> list[Read]:
    """Every committed record of a topic."""
    reader = TopicReader(kafka, topic, partitions)
    try:
        return list(reader.news())
    finally:
        reader.close()


@dataclass
class StateReading:
    """`quota.state`, compacted by key: rows, and the newest complete position by partition."""

    rows: dict[CounterKey, bytes] = field(default_factory=dict)
    usage: dict[int, int] = field(default_factory=dict)
    entitlements: dict[int, int] = field(default_factory=dict)

    def take(self, record: Read) -> None:
        """Take note of a record; tombstones end a row."""
        if record.key is None:
            return
        if record.key.startswith(INTERNAL):
            self._take_position(record)
            return
        key = CounterKey(*json.loads(record.key))
        if record.value is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = record.value

    def _take_position(self, record: Read) -> None:
        if position := _complete_position(record):
            self.usage[record.partition] = position["usage"]
            self.entitlements[record.partition] = position["entitlements"]


@dataclass
class PositionPauses:
    """How long partitions of `quota.state` were without a new complete position.

    Of records as they are written: later the log is compacted, and all but the last are gone.
    """

    _longest_ms: int = 0
    _seen_ms: dict[int, int] = field(default_factory=dict)

    def take(self, record: Read) -> None:
        """Take note of a record."""
        if record.key and record.key.startswith(INTERNAL) and _complete_position(record):
            at_ms = record.timestamp_ms
            pause_ms = at_ms - self._seen_ms.get(record.partition, at_ms)
            self._longest_ms = max(self._longest_ms, pause_ms)
            self._seen_ms[record.partition] = at_ms

    def until(self, ended_ms: int) -> int:
        """The longest time (ms), one that had not ended by then included."""
        return max([self._longest_ms, *(ended_ms - seen for seen in self._seen_ms.values())])


def _complete_position(record: Read) -> dict[str, Any] | None:
    """The position that ends a transaction; None of any other internal record."""
    position: dict[str, Any] = json.loads(record.value or b"{}")
    return position if position.get("complete") else None


def log_places(records: list[Read]) -> tuple[dict[int, tuple[int, int]], list[str]]:
    """Where each message stands in `usage.events`, by its number; and those that stand twice."""
    places: dict[int, tuple[int, int]] = {}
    twice = []
    for record in records:
        number = int(record.headers.get(NUMBER_HEADER, b"-1"))
        if number in places:
            twice.append(f"message {number} is in the log twice")
        places[number] = (record.partition, record.offset)
    return places, twice


def facts(records: list[Read], topic: str) -> list[tuple[Fact, dict[str, Any]]]:
    """Announcements with what tells them apart."""
    read = [json.loads(record.value or b"{}") for record in records]
    return [(Fact(topic, each["id"]), each) for each in read]
