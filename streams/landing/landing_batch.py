"""What landing has in hand: a batch as it is read, and one whose insert is under way."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from confluent_kafka import KafkaError

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.topics import USAGE_EVENTS
from streams.landing.batches import (
    Deliveries,
    Record,
    RejectedElement,
    judge,
    rejected_table,
    usage_table,
)
from streams.landing.landed_counters import (
    LandedCounters,
    counters_table,
    positions_table,
    read_counters,
    rebuilds_table,
)
from streams.landing.warehouse_sink import InsertUnderWay, Tables

STRIDE = 2_000
STRIDE_BYTES = 2**20
"""About so many events, of no more than so many bytes, are judged before they become columns: they
fit the processor's cache, and one stride more is all that a batch may be too long."""

MOST_BYTES = 64 * 2**20
"""A batch is full at this length of its records: bounds landing's memory."""

MOST_HALVINGS = 6
"""What cannot be stored or committed at once may be in parts; of these many, one is a stride."""

Place = tuple[str, int]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """What makes rows of records: a price list version, its admission, the topic and its epoch."""

    catalog: Catalog
    admission: Admission
    epoch: int
    topic: str = USAGE_EVENTS

    def rows(self, records: Sequence[Record], rejected: list[RejectedElement]) -> pa.Table:
        """Rows of `usage_events`; what is rejected is put to the others."""
        return self.table(self.judged(records, rejected))

    def judged(self, records: Sequence[Record], rejected: list[RejectedElement]) -> Deliveries:
        """What is admitted of records of `usage.events`; what is rejected is put to the others."""
        found = Deliveries(rejected=rejected)
        judge(records, self.admission, found)
        return found

    def table(self, found: Deliveries) -> pa.Table:
        """What was admitted as rows of `usage_events`."""
        return usage_table(found, self.catalog, self.epoch)


@dataclass(slots=True)
class Batch:
    """Messages since `began`, made into columns as they come, and how far they reach.

    `stride` is in records, of which each may hold many events; a next batch goes on with it. After
    so many `failures` in a row it is full at a half, a quarter and so on of what it may hold. The
    end of a partition is reported as a message of its own: it lies behind transaction
    markers, so that committing it says truly that there is nothing left to read.
    """

    rules: Rules
    usage: list[pa.Table] = field(default_factory=list)
    rejected: list[RejectedElement] = field(default_factory=list)
    counters: LandedCounters = field(default_factory=LandedCounters)
    reached: dict[Place, int] = field(default_factory=dict)
    events: int = 0
    size: int = 0
    stride: int = STRIDE
    failures: int = 0
    began: float = field(default_factory=time.monotonic)

    def take(self, messages: Sequence[Record], size: int) -> Sequence[Record]:
        """Judge messages until it holds `size` elements; returns those that are left."""
        start = 0
        while start < len(messages) and not self.is_full(size):
            some, length = _next(messages[start : start + self.stride])
            self._judge(some)
            self.size += length
            start += len(some)
        return messages[start:]

    def _judge(self, messages: Sequence[Record]) -> None:
        read = [message for message in messages if message.error() is None]
        usage = [message for message in read if message.topic() == self.rules.topic]
        if usage:
            self._add_usage(usage)
        if len(usage) < len(read):
            states = [message for message in read if message.topic() != self.rules.topic]
            read_counters(states, self.rules.epoch, self.counters)
            self._reach(states, 1)
        if len(read) < len(messages):
            self._heed([message for message in messages if message.error() is not None])

    def _add_usage(self, records: Sequence[Record]) -> None:
        """Make records of `usage.events` into rows."""
        before = self.events + len(self.rejected)
        found = self.rules.judged(records, self.rejected)
        rows = self.rules.table(found)
        self.usage.append(rows)
        for partition, offset in found.last_offsets().items():
            self._reach_to((self.rules.topic, partition), offset + 1)
        self.events += rows.num_rows
        made = self.events + len(self.rejected) - before
        self.stride = max(1, STRIDE * len(records) // max(made, len(records)))

    def _heed(self, reports: Sequence[Record]) -> None:
        """What Kafka reports between the messages: where a partition ends, or trouble."""
        self._reach([report for report in reports if _is_end(report)], 0)
        for report in reports:
            if not _is_end(report):
                _log.warning("Kafka: %s", report.error())

    def _reach(self, messages: Sequence[Record], length: int) -> None:
        """All before these and so many offsets of theirs are read."""
        last = {(message.topic(), message.partition()): message.offset() for message in messages}
        for place, offset in last.items():
            self._reach_to(place, offset + length)

    def _reach_to(self, place: Place, offset: int) -> None:
        self.reached[place] = max(self.reached.get(place, 0), offset)

    def is_full(self, size: int) -> bool:
        """Does it hold so many elements, or as many bytes as a batch may?"""
        elements = self.events + len(self.rejected) + len(self.counters.states)
        halvings = min(self.failures, MOST_HALVINGS)
        most = max(1, size >> halvings)
        return elements >= most or self.size >= MOST_BYTES >> halvings

    def is_due(self, size: int, seconds: float) -> bool:
        """Is it time to insert it?"""
        age = time.monotonic() - self.began
        return bool(self.reached) and (age >= seconds or self.is_full(size))

    def tables(self) -> Tables:
        """All that is inserted, in this order."""
        tables = {
            "rejected": rejected_table(self.rejected, self.rules.topic, self.rules.epoch),
            "rebuilds": rebuilds_table(self.counters),  # before the rows that they explain
            "counters": counters_table(self.counters),
            "counter_positions": positions_table(self.counters),
        }
        if self.usage:
            tables = {"usage_events": pa.concat_tables(self.usage).combine_chunks(), **tables}
        return tables


def _next(messages: Sequence[Record]) -> tuple[Sequence[Record], int]:
    """The first of these messages that make no more than a stride of bytes, or the first.

    And how many bytes they make.
    """
    while (length := sum(map(len, messages))) > STRIDE_BYTES and len(messages) > 1:
        messages = messages[: len(messages) // 2]
    return messages, length


def _is_end(message: Record) -> bool:
    """Does it tell, as a problem, that a partition is read to its end?"""
    return bool(message.error().code() == KafkaError._PARTITION_EOF)


@dataclass(frozen=True, slots=True)
class BatchUnderWay:
    """A batch that is being inserted, and what is committed when it is stored."""

    insert: InsertUnderWay
    events: int
    rejected: list[RejectedElement]
    reached: dict[Place, int]
    began: float
