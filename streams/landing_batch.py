"""What landing has in hand: a batch as it is read, and one whose insert is under way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError

from pipelines.admission import Admission
from schemas.topics import USAGE_EVENTS
from streams.batches import Deliveries, Record, RejectedElement, judge
from streams.landed_counters import LandedCounters, read_counters
from streams.warehouse_sink import InsertUnderWay

MOST_BYTES = 64 * 2**20
"""A batch is full at this length of its records: bounds landing's memory."""

Place = tuple[str, int]


@dataclass(slots=True)
class Batch:
    """Messages since `began`, judged as they come, and how far they reach in each partition.

    The end of a partition is reported as a message of its own: it lies behind transaction markers,
    so that committing it says truly that there is nothing left to read.
    """

    deliveries: Deliveries = field(default_factory=Deliveries)
    counters: LandedCounters = field(default_factory=LandedCounters)
    reached: dict[Place, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def take(self, messages: Sequence[Record], admission: Admission, epoch: int) -> list[object]:
        """Judge more messages; returns what Kafka reports beside them."""
        usage: list[Record] = []
        states: list[Record] = []
        problems: list[object] = []
        for message in messages:
            if (problem := message.error()) is None:
                (usage if message.topic() == USAGE_EVENTS else states).append(message)
            elif problem.code() == KafkaError._PARTITION_EOF:
                self.reached[message.topic(), message.partition()] = message.offset()
            else:
                problems.append(problem)
        found = self.deliveries
        known = len(found.offsets)
        judge(usage, admission, found)
        last = dict(zip(found.partitions[known:], found.offsets[known:], strict=True))
        for partition, offset in last.items():
            self._reach((USAGE_EVENTS, partition), offset)
        read_counters(states, epoch, self.counters)
        for state in states:
            self._reach((state.topic(), state.partition()), state.offset())
        return problems

    def _reach(self, place: Place, offset: int) -> None:
        self.reached[place] = max(offset + 1, self.reached.get(place, 0))

    def is_full(self, size: int) -> bool:
        """Does it hold so many elements, or as many bytes as a batch may?"""
        found = self.deliveries
        return (
            len(found.events) + len(found.rejected) + len(self.counters.states) >= size
            or found.size >= MOST_BYTES
        )

    def is_due(self, size: int, seconds: float) -> bool:
        """Is it time to insert it?"""
        age = time.monotonic() - self.began
        return bool(self.reached) and (age >= seconds or self.is_full(size))


@dataclass(frozen=True, slots=True)
class BatchUnderWay:
    """A batch that is being inserted, and what is committed when it is stored."""

    insert: InsertUnderWay
    events: int
    rejected: list[RejectedElement]
    reached: dict[Place, int]
    began: float
