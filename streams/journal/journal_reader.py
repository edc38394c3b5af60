"""Reads a partition's journal into a shard, and follows its entitlements from then on.

Belongs to no consumer group: what is read is the owner's own affair.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.entitlement import Entitlements
from schemas.errors import UNREADABLE, DependencyUnreachable
from schemas.quota import INTERNAL, POSITION_KEY, StatePosition
from streams import fetched
from streams.bounded import within
from streams.journal.counters import CountersConfig
from streams.record import Record

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 1
FETCH_WAIT_MS = 500
"""Longest poll of an idle partition; new records end it at once."""

FETCH_RECORDS = 1_000
"""So many at a time: all that a fetch holds at once would be new memory, half of reading's time."""

RESTORE_ROWS = 20_000
"""So many rows are read before they become counters: of many of one counter the last one does."""

_decode_position = msgspec.json.Decoder(StatePosition).decode
_decode_entitlements = msgspec.json.Decoder(Entitlements).decode


def now_ms() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Loaded(Protocol):
    """What a journal is read into; a shard, as a rule."""

    @property
    def has_crossings(self) -> bool: ...
    def restore(self, key: bytes, value: bytes | None) -> None: ...
    def start_at(self, counted_to: int) -> int: ...
    def apply_entitlements(self, entitlements: Entitlements, at_ms: int) -> None: ...


class JournalReader:
    """`quota.state` and `entitlements` of one partition, as committed.

    `position` is the last record of what the rows stand for, once they are loaded; `state_end` is
    where `quota.state` ended (exclusive), once it is open.
    """

    def __init__(self, config: CountersConfig, partition: int, shard: Loaded) -> None:
        fetched.install()
        self._epoch = config.epoch
        self._partition = partition
        self._shard = shard
        self._state = TopicPartition(config.topics.state, partition)
        self._entitlements = TopicPartition(config.topics.entitlements, partition)
        self.entitlements_position = 0
        self.position: StatePosition | None = None
        self.state_end = 0
        self._consumer = AIOKafkaConsumer(
            **config.kafka.aiokafka(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    async def open(self) -> None:
        """Begin with both topics at their beginnings."""
        await self._consumer.start()
        both = [self._state, self._entitlements]
        self._consumer.assign(both)
        # by hand: `assign` and `seek_to_beginning` race with the fetcher's own reset
        for tp, begin in (await self._consumer.beginning_offsets(both)).items():
            self._consumer.seek(tp, begin)
        self._ends = await self._consumer.end_offsets(both)
        self.state_end = self._ends[self._state]

    async def load(self) -> int:
        """Read both up to their ends; the usage offset (exclusive) that the shard stands for."""
        published = await self._read_to_ends()
        # Another epoch is another topic: its offsets start at 0, the rows stay.
        position = self.position
        counted_to = position.usage if position and position.epoch == self._epoch else 0
        self._shard.start_at(counted_to)
        self._apply_all(published)
        return counted_to

    async def resume(self, shard: Loaded, entitlements_position: int) -> None:
        """Go on with a shard that lacks nothing but the entitlements from a position on."""
        self._shard, self.entitlements_position = shard, entitlements_position
        self._consumer.seek(self._state, self.state_end)
        begin = await self._consumer.position(self._entitlements)
        self._consumer.seek(self._entitlements, max(begin, entitlements_position))
        self._apply_all(await self._read_to_ends())

    async def _read_to_ends(self) -> list[Entitlements]:
        published: list[Entitlements] = []
        rows: dict[bytes, bytes | None] = {}
        while not await self._has_reached(self._ends):
            fetched = await self._consumer.getmany(
                timeout_ms=FETCH_WAIT_MS, max_records=FETCH_RECORDS
            )
            published += self._read(fetched.get(self._entitlements, ()))
            rows |= latest(fetched.get(self._state, ()))
            if len(rows) >= RESTORE_ROWS:
                self._restore(rows)
                rows.clear()
                await asyncio.sleep(0)  # heartbeats and other partitions share the loop
        self._restore(rows)
        self._consumer.pause(self._state)
        return published

    async def _has_reached(self, ends: dict[TopicPartition, int]) -> bool:
        return all([await self._consumer.position(tp) >= end for tp, end in ends.items()])

    def _restore(self, rows: dict[bytes, bytes | None]) -> None:
        """Take over rows, the last of each key."""
        position = rows.pop(POSITION_KEY, None)
        for key, value in rows.items():
            if not key.startswith(INTERNAL):
                self._restore_row(key, value)
        if position is not None:
            self.position = _decode_position(position)

    def _restore_row(self, key: bytes, value: bytes | None) -> None:
        try:
            self._shard.restore(key, value)
        except UNREADABLE as problem:
            logger.error(
                "partition %d: %r of quota.state is no counter (%s) and is passed over; where it "
                "took a counter's place, `countinghouse counters rebuild` makes that anew",
                self._partition,
                key,
                problem,
            )

    async def follow(self, on_crossing: Callable[[], None]) -> None:
        """Apply what comes, for ever; `on_crossing` is called when it made something due."""
        while True:
            fetched = await self._consumer.getmany(self._entitlements, timeout_ms=FETCH_WAIT_MS)
            for records in fetched.values():
                for entitlements in self._read(records):
                    self._apply(entitlements)
            if self._shard.has_crossings:
                on_crossing()

    def _read(self, records: Sequence[Record]) -> list[Entitlements]:
        read = []
        for record in records:
            self.entitlements_position = record.offset + 1
            try:
                if record.value is not None:
                    read.append(_decode_entitlements(record.value))
            except UNREADABLE as problem:
                self._complain(record.key, problem)
        return read

    def _apply_all(self, published: Iterable[Entitlements]) -> None:
        by_tenant: defaultdict[str, list[Entitlements]] = defaultdict(list)
        for entitlements in published:
            by_tenant[entitlements.tenant].append(entitlements)
        for versions in by_tenant.values():
            self._apply_highest(versions)

    def _apply_highest(self, versions: Sequence[Entitlements]) -> None:
        """What holds where a tenant's versions were applied as they came: not always the last."""
        rising = sorted(versions, key=lambda each: each.version)
        for entitlements in reversed(rising):
            if self._apply(entitlements):
                return

    def _apply(self, entitlements: Entitlements) -> bool:
        try:
            self._shard.apply_entitlements(entitlements, now_ms())
        except ValueError as problem:
            self._complain(entitlements.tenant, problem)
            return False
        return True

    def _complain(self, tenant: object, problem: Exception) -> None:
        logger.error(
            "partition %d: entitlements of %s cannot be read (%s) and have no effect; "
            "`countinghouse entitlements republish` writes them anew",
            self._partition,
            tenant,
            problem,
        )

    async def close(self) -> None:
        """Stop following."""
        with contextlib.suppress(DependencyUnreachable):
            await within(CLOSE_SECONDS, self._consumer.stop(), "closing a consumer")


def latest(records: Iterable[Record]) -> dict[bytes, bytes | None]:
    """The last value of each key: until the log is compacted, there is one for each transaction."""
    return {record.key: record.value for record in records if record.key is not None}
