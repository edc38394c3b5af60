"""Writes a partition's journal: one transaction for rows, position and announcements.

Owns the partition's lease, which is the transactional id: whoever fences last can write, an
earlier owner, frozen or cut off, cannot.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, InvalidProducerEpoch, KafkaError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.errors import DependencyUnreachable, Fenced
from schemas.quota import POSITION_KEY, QuotaExceeded, StatePosition
from streams.bounded import within
from streams.counting.crossings import Crossing
from streams.counting.rows import Row, encode
from streams.counting.shard import Changes
from streams.journal.counters import CountersConfig

BATCH_BYTES = 512 * 1024
TRANSACTION_TIMEOUT_MS = 30_000
BROKER_SECONDS = 20
"""A broker restarts in less. A journal that waits longer is dropped and opened anew."""

CLOSE_SECONDS = 1
RETRY_MS = 10

Sent = asyncio.Future[Any]
"""Where a batch's first record went, once it is there: `aiokafka`'s RecordMetadata."""


class JournalWriter:
    """The one writer of a partition of `quota.state`, and of what is announced for its tenants.

    `state_end` is where `quota.state` ended (exclusive) with the last transaction written here.
    """

    def __init__(self, config: CountersConfig, partition: int) -> None:
        self.state_end: int | None = None
        self._config = config
        self._topics = config.topics
        self._partition = partition
        self._producer = AIOKafkaProducer(
            **config.kafka.aiokafka(),
            transactional_id=config.transactional_id(partition),
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            max_batch_size=BATCH_BYTES,
            compression_type="zstd",  # lz4 is at its slowest level here: eight times the CPU
            retry_backoff_ms=RETRY_MS,
        )

    async def fence(self) -> None:
        """Become the owner. What an earlier one left unfinished is aborted when this returns."""
        what = f"opening the journal of partition {self._partition}"
        await within(BROKER_SECONDS, self._fence(), what)

    async def _fence(self) -> None:
        await self._producer.start()
        async with self._producer.transaction():
            pass  # no transaction without the id that is the fence, whatever `start` asks for

    async def write(self, changes: Changes, entitlements_position: int) -> None:
        """Write all or nothing.

        Raises:
            Fenced: another owner has fenced this one.
            KafkaError, DependencyUnreachable: the broker does not answer or refuses; what became
                of it is unknown.
        """
        try:
            what = f"a transaction of partition {self._partition}"
            await within(BROKER_SECONDS, self._write(changes, entitlements_position), what)
        except (ProducerFenced, InvalidProducerEpoch, IllegalOperation):
            # The last: fenced between two sends, the transaction was ended behind our back.
            _notice_leftovers(self._producer)
            raise Fenced(f"partition {self._partition} has another owner now") from None

    async def _write(self, changes: Changes, entitlements_position: int) -> None:
        async with self._producer.transaction():
            last = await self._send_all(changes, entitlements_position)
        self.state_end = last + 2  # the transaction's marker follows its last record

    async def _send_all(self, changes: Changes, entitlements_position: int) -> int:
        """Send all records and wait for each, so that no commit passes over one that failed.

        Crossings come before rows: so all partitions are enlisted by one request, also where rows
        take several batches, each of which waits for the one before. Returns the last row's offset.
        """
        records = self._announced(changes.crossings)
        records[self._topics.state] = self._rows(changes, entitlements_position)
        sent, last_count = list[Sent](), 0
        for topic, own in records.items():
            for batch in self._batches(own):
                sent.append(await self._send(topic, batch))
                last_count = batch.record_count()
        *_, last = await asyncio.gather(*sent)
        first_offset: int = last.offset
        return first_offset + last_count - 1

    def _announced(self, crossings: Iterable[Crossing]) -> dict[str, list[Row]]:
        """The announcements of each topic that has any."""
        announced: defaultdict[str, list[Row]] = defaultdict(list)
        for crossing in crossings:
            is_exceeded = isinstance(crossing, QuotaExceeded)
            topic = self._topics.exceeded if is_exceeded else self._topics.alerts
            announced[topic].append((crossing.tenant.encode(), encode(crossing)))
        return announced

    def _rows(self, changes: Changes, entitlements_position: int) -> list[Row]:
        """What changed, between the position that is not complete and the one that is."""
        begun = StatePosition(
            epoch=self._config.epoch,
            usage=changes.position,
            entitlements=entitlements_position,
            catalog_version=self._config.catalog_version,
            complete=False,
        )
        ended = msgspec.structs.replace(begun, complete=True)
        return [(POSITION_KEY, encode(begun)), *changes.rows, (POSITION_KEY, encode(ended))]

    def _batches(self, records: Iterable[Row]) -> Iterator[BatchBuilder]:
        """The records in batches that are full, but for the last.

        Of our own, since the producer makes a future and a search for the place of each record.
        """
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(timestamp=None, key=key, value=value) is None:
                yield batch
                batch = self._producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        batch.close()
        yield batch

    async def _send(self, topic: str, batch: BatchBuilder) -> Sent:
        """Send to the partition that is read, whatever the hash of a key says."""
        future: Sent = await self._producer.send_batch(batch, topic, partition=self._partition)
        future.add_done_callback(_notice)
        return future

    async def close(self) -> None:
        """Let the lease go; it stays valid until someone else takes it."""
        # a fenced producer says so once more
        with contextlib.suppress(KafkaError, DependencyUnreachable):
            await within(CLOSE_SECONDS, self._producer.stop(), "closing a producer")


def _notice_leftovers(producer: AIOKafkaProducer) -> None:
    """Look at what a fenced producer keeps to itself, for the same reason; it has no public way."""
    _notice(producer._txn_manager.wait_for_transaction_end())
    for batches in producer._message_accumulator._batches.values():
        for batch in batches:
            _notice(batch._drain_waiter)


def _notice(sent: Sent) -> None:
    """Look at the error, which `gather` may not reach: asyncio complains of unseen ones."""
    if sent.done() and not sent.cancelled():
        sent.exception()
