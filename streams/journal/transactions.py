"""The transactions of a journal: what is asked of the brokers, and what their answers mean.

Owns the lease, which is the transactional id, and the sequence numbers of its records. aiokafka's
producer serves many callers, topics and partitions and puts four tasks between a caller and the
broker; a journal has one caller and one partition, and waits for three answers.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

from aiokafka import TopicPartition, errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stores.kafka import KafkaAccess
from streams.bounded import broken_off
from streams.counting.rows import Row

BATCH_BYTES = 512 * 1024
TRANSACTION_TIMEOUT_MS = 30_000
ALL_REPLICAS = -1
ANSWER_MS = 10_000
"""So long the leader waits for its replicas."""

RETRY_S = 0.01
ENDING_S = 0.003
"""The broker answers "concurrent transactions" for a moment after one has ended, and is asked again
after so long: a crossing that follows another waits for it."""

_PASSING = (
    errors.CoordinatorNotAvailableError,
    errors.CoordinatorLoadInProgressError,
    errors.NotCoordinatorError,
    errors.NotEnoughReplicasError,
    errors.NotEnoughReplicasAfterAppendError,
)
"""What passes by itself, beside what aiokafka calls retriable."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records as the log holds them."""

    records: bytes
    count: int


class Transactions:
    """One transaction after another by the owner of a lease, to one partition of some topics.

    Whoever gets an error from here knows nothing of what became of the transaction, and closes
    this; an owner that follows begins with what was committed.
    """

    def __init__(self, kafka: KafkaAccess, lease: str, partition: int) -> None:
        self._client = AIOKafkaClient(**kafka.aiokafka(), retry_backoff_ms=int(RETRY_S * 1000))
        self._lease = lease
        self._partition = partition
        self._coordinator: int | None = None
        self._owner = -1, -1  # the producer's id and epoch
        self._sequences = defaultdict[str, int](int)
        self._is_under_way = False

    async def fence(self, topics: Iterable[str]) -> None:
        """Become the owner; what an earlier one left unfinished is aborted when this returns."""
        await self._client.bootstrap()
        await self._client.set_topics(topics)
        request = InitProducerIdRequest(self._lease, TRANSACTION_TIMEOUT_MS)
        answer = await self._ask_coordinator(request)
        self._owner = answer.producer_id, answer.producer_epoch

    async def write(self, records: Mapping[str, Iterable[Row]]) -> dict[str, int]:
        """Write records to topics, all or nothing; returns the offset of each topic's last.

        Raises:
            InvalidProducerEpoch: another owner has fenced this one, or the brokers have given the
                transaction up. KafkaError: they refuse, or nothing passes for long.
        """
        batches = [self._batches(topic, rows) for topic, rows in records.items()]
        self._is_under_way = True
        await self._enlist(records)
        last = dict[str, int]()
        for own in zip_longest(*batches):  # those of one topic one after another
            together = zip(records, own, strict=True)
            last |= await self._produce({topic: batch for topic, batch in together if batch})
        await self._end(commit=True)
        return last

    def _batches(self, topic: str, rows: Iterable[Row]) -> Iterator[_Batch]:
        """The records in batches that are full, but for the last."""
        builder, count = self._builder(topic), 0
        for key, value in rows:
            if builder.append(count, None, key, value, []) is None:
                yield self._built(builder, topic, count)
                builder, count = self._builder(topic), 0
                builder.append(count, None, key, value, [])
            count += 1
        yield self._built(builder, topic, count)

    def _builder(self, topic: str) -> DefaultRecordBatchBuilder:
        return DefaultRecordBatchBuilder(
            magic=2,
            compression_type=DefaultRecordBatch.CODEC_ZSTD,  # lz4 costs eight times as much here
            is_transactional=1,
            producer_id=self._owner[0],
            producer_epoch=self._owner[1],
            base_sequence=self._sequences[topic],
            batch_size=BATCH_BYTES,
        )

    def _built(self, builder: DefaultRecordBatchBuilder, topic: str, count: int) -> _Batch:
        self._sequences[topic] = (self._sequences[topic] + count) % 2**31
        return _Batch(bytes(builder.build()), count)

    async def _enlist(self, topics: Iterable[str]) -> None:
        """Make the partition of each topic part of the transaction."""
        places = [(topic, [self._partition]) for topic in topics]
        await self._ask_coordinator(AddPartitionsToTxnRequest(self._lease, *self._owner, places))

    async def _end(self, *, commit: bool) -> None:
        await self._ask_coordinator(EndTxnRequest(self._lease, *self._owner, commit))
        self._is_under_way = False

    async def _produce(self, batches: Mapping[str, _Batch]) -> dict[str, int]:
        """Store a batch of each topic; a repeat after a lost answer stores nothing twice."""
        last = dict[str, int]()

        async def store_missing() -> None:
            missing = {topic: it for topic, it in batches.items() if topic not in last}
            by_leader = self._by_leader(missing).items()
            await _all(self._store(leader, own, last) for leader, own in by_leader)

        await self._until_it_passes(store_missing)
        return last

    def _by_leader(self, batches: Mapping[str, _Batch]) -> dict[int, dict[str, _Batch]]:
        found = defaultdict[int, dict[str, _Batch]](dict)
        for topic, batch in batches.items():
            place = TopicPartition(topic, self._partition)
            leader = self._client.cluster.leader_for_partition(place)
            if leader is None or leader < 0:
                raise errors.LeaderNotAvailableError(f"{topic}[{self._partition}]")
            found[leader][topic] = batch
        return found

    async def _store(
        self, leader: int, batches: Mapping[str, _Batch], last: dict[str, int]
    ) -> None:
        """Have the leader of some topics store a batch of each; notes the offset of its last."""
        own = [(topic, [(self._partition, it.records)]) for topic, it in batches.items()]
        request = ProduceRequest(self._lease, ALL_REPLICAS, ANSWER_MS, own)
        answer = await self._client.send(leader, request)
        found = {topic: (code, first) for topic, [(_, code, first, *_)] in answer.topics}
        last |= {t: first + batches[t].count - 1 for t, (code, first) in found.items() if not code}
        for code, _ in found.values():
            _check(code)

    async def _ask_coordinator(self, request: Any) -> Any:
        async def ask() -> Any:
            if self._coordinator is None:
                kind = CoordinationType.TRANSACTION
                self._coordinator = await self._client.coordinator_lookup(kind, self._lease)
            group = ConnectionGroup.COORDINATION
            answer = await self._client.send(self._coordinator, request, group=group)
            for code in _codes(answer):
                _check(code)
            return answer

        return await self._until_it_passes(ask)

    async def _until_it_passes(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again while what fails passes by itself; whoever waits for this says how long."""
        while True:
            try:
                with broken_off():
                    return await ask()
            except errors.ConcurrentTransactions:
                await asyncio.sleep(ENDING_S)
            except errors.KafkaError as error:
                if not (error.retriable or isinstance(error, _PASSING)):
                    raise
                await self._look_around()

    async def _look_around(self) -> None:
        """Ask who leads now: another may, and whoever did may be away."""
        self._coordinator = None
        await self._client.force_metadata_update()
        await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Abort what is under way and hang up; the lease stays ours until another takes it."""
        try:
            if self._is_under_way:
                await self._end(commit=False)
        finally:
            await self._client.close()


async def _all(asked: Iterable[Awaitable[None]]) -> None:
    """Wait until each of them has ended; then raise what the first that failed raised."""
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer


def _codes(answer: Any) -> list[int]:
    """The error codes of a coordinator's answer; what was not tried for that comes last."""
    if not hasattr(answer, "errors"):
        return [answer.error_code]
    codes = {code for _, partitions in answer.errors for _, code in partitions}
    return sorted(codes, key=lambda code: code == errors.OperationNotAttempted.errno)


def _check(code: int) -> None:
    if code:
        raise errors.for_code(code)()
