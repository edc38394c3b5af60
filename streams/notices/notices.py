"""Brings announced facts to one receiver: at least once each, whatever dies on the way.

Owns a consumer group of the receiver's own, which facts are in its hands and what is committed:
only what is settled. Reads `read_committed`: Faust's consumer would also tell what was aborted.
What becomes of a fact is in `attempts`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from mode import Service

from schemas.errors import UNREADABLE
from streams.bounded import BrokenOff, broken_off
from streams.journal.counters import CountersConfig
from streams.journal.journal_reader import now_ms
from streams.membership import membership
from streams.notices.attempts import Attempts, Deliver
from streams.notices.facts import Fact, Receiver
from streams.notices.notice_metrics import NoticeMetrics
from streams.notices.progress import Notice, Progress
from streams.record import Record

logger = logging.getLogger(__name__)

WINDOW = 256
"""Facts of a partition in our hands at most: where a receiver takes none of so many, those behind
them wait; the other partitions and the other receivers go on."""
FETCH_FACTS = 100
POLL_MS = 500
COMMIT_SECONDS = 0.5
LEAVE_SECONDS = 3
FAILED_REST_S = 1
REBALANCE_REST_S = 0.05


class NoticeIntake(Service):
    """Hands a receiver's facts to its agents, which tell `attempts` what became of each."""

    def __init__(
        self,
        config: CountersConfig,
        receiver: Receiver,
        deliver: Deliver,
        metrics: NoticeMetrics,
        *,
        patience_s: float,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._config = config
        self._receiver = receiver
        self._deliver = deliver
        self._patience_ms = int(patience_s * 1000)
        self._held: dict[TopicPartition, Progress] = {}
        self.attempts = Attempts(receiver.name, deliver, metrics, self._patience_ms)
        metrics.watch(receiver.name, self._held.values)

    async def on_start(self) -> None:
        """Join the receiver's group."""
        config = self._config
        consumer = AIOKafkaConsumer(
            **config.kafka.aiokafka(),
            group_id=f"{config.group_id}-{self._receiver.group}",
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=config.session_timeout_ms,
            heartbeat_interval_ms=config.session_timeout_ms // 5,
            fetch_max_wait_ms=500,
        )
        topics = [config.topics.exceeded, config.topics.alerts]
        consumer.subscribe(topics, listener=_Listener(self))
        self._consumer = consumer
        await self.add_async_context(membership(consumer))

    async def on_stop(self) -> None:
        """Commit what is settled; the rest is delivered by whoever comes next."""
        await self.release()
        await self._receiver.close()

    def take(self, assigned: Iterable[TopicPartition]) -> None:
        """These partitions are ours; the pump finds out where to begin."""
        self._consumer.pause(*assigned)

    async def release(self) -> None:
        """Let all partitions go, what is under way included."""
        try:
            await self._commit_in_time()
        finally:
            for progress in self._held.values():
                progress.is_held = False
            self._held.clear()
            self.attempts.give_back()

    async def _commit_in_time(self) -> None:
        # A cancellation of the client's would end the client's own task, which waits for this.
        with contextlib.suppress(TimeoutError, ConsumerStoppedError, BrokenOff), broken_off():
            await asyncio.wait_for(self._commit(), LEAVE_SECONDS)

    @Service.task
    async def _pump(self) -> None:
        while not self.should_stop:
            await self._safely(self._pump_once)

    @Service.task
    async def _keep_committing(self) -> None:
        while not self.should_stop:
            await self.sleep(COMMIT_SECONDS)
            await self._safely(self._commit)

    async def _safely(self, step: Callable[[], Awaitable[None]]) -> None:
        """Whatever happens: an error that came out of a task would stop the counting beside it."""
        try:
            with broken_off():
                await step()
        except (ConsumerStoppedError, IllegalStateError, BrokenOff):
            # A rebalance under way, which needs the loop that a retry at once would starve.
            await self.sleep(REBALANCE_REST_S)
        except Exception as error:
            level = logging.WARNING if isinstance(error, KafkaError) else logging.ERROR
            logger.log(level, "notices to %s: %r", self._receiver.name, error)
            await self.sleep(FAILED_REST_S)

    async def _pump_once(self) -> None:
        await self._begin(self._consumer.assignment() - self._held.keys())
        self._make_room()
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=FETCH_FACTS)
            # no await between a fetch and the look-up of what is held
            for tp, records in fetched.items():
                if progress := self._held.get(tp):
                    await self._hand_out(tp, records, progress)
        except BaseException:
            self._fetch_again()
            raise
        for tp, progress in list(self._held.items()):
            if not progress.waiting:
                progress.read_to(await self._consumer.position(tp))

    async def _begin(self, assigned: Iterable[TopicPartition]) -> None:
        """A partition goes on where its group was; for a new receiver, as far back as we have
        patience."""
        new = list(assigned)
        starts = await asyncio.gather(*map(self._start, new))
        for tp, start in zip(new, starts, strict=True):
            self._consumer.seek(tp, start)
            self._held[tp] = Progress(start)

    async def _start(self, tp: TopicPartition) -> int:
        committed = await self._consumer.committed(tp)
        if committed is not None:
            return int(committed)
        # the end is asked for first: what comes after that is found by its time
        end = (await self._consumer.end_offsets([tp]))[tp]
        patient = {tp: now_ms() - self._patience_ms}
        found = (await self._consumer.offsets_for_times(patient)).get(tp)
        return int(end if found is None else found.offset)

    def _make_room(self) -> None:
        for tp in self._consumer.assignment() & self._held.keys():
            if self._held[tp].waiting + FETCH_FACTS <= WINDOW:
                self._consumer.resume(tp)
            else:
                self._consumer.pause(tp)

    def _fetch_again(self) -> None:
        """From what was not handed out on: the consumer passed over it, and it would be committed
        with what follows."""
        for tp in self._consumer.assignment() & self._held.keys():
            self._consumer.seek(tp, self._held[tp].handed_to)

    async def _hand_out(
        self, tp: TopicPartition, records: Sequence[Record], progress: Progress
    ) -> None:
        for record in records:
            progress.open(record.offset, record.timestamp)
            if (fact := _fact(tp, record)) is None:
                progress.settle(record.offset)
            else:
                await self._deliver(Notice(fact, record.offset, progress))
            progress.handed_to = record.offset + 1

    async def _commit(self) -> None:
        """Commit what is settled and was not committed before."""
        news = {
            tp: (progress, progress.settled_to)
            for tp, progress in self._held.items()
            if progress.settled_to > progress.committed
        }
        # a rebalance, or no broker: what was not committed is delivered again
        with contextlib.suppress(KafkaError):
            if news:
                await self._consumer.commit({tp: offset for tp, (_, offset) in news.items()})
                for progress, offset in news.values():
                    progress.committed = offset


def _fact(tp: TopicPartition, record: Record) -> Fact | None:
    """What a record announces; None where it is nothing, which the log is told."""
    try:
        return Fact.of(record.value or b"", record.timestamp)
    except UNREADABLE as problem:
        place = f"{tp.topic}[{tp.partition}] {record.offset}"
        logger.error("%s is no announcement (%s) and is passed over", place, problem)
        return None


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, intake: NoticeIntake) -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._intake.release()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._intake.take(assigned)
