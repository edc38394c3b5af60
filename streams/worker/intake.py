"""Brings usage from Kafka to the counters: a Faust service around a consumer group of its own.

Owns the consumer, the partitions' tenures and the pump. Faust's own consumer is not used: it
costs 90 µs a message, and after a failure it loses or repeats what was in its hands.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from mode import Service

from streams.bounded import BrokenOff, broken_off
from streams.health.lag import PartitionLag
from streams.health.metrics import CounterMetrics
from streams.journal.counters import CountersConfig
from streams.journal.journal_reader import now_ms
from streams.journal.memory import Memory
from streams.membership import membership, sticky
from streams.worker.live import Batch
from streams.worker.partition import Tenure

logger = logging.getLogger(__name__)

FETCH_RECORDS = 2000
SMALL_FETCH = 500
SMALL_FETCH_REST_S = 0.003
"""A fetch costs 0.3 ms whatever is in it: a rest after small ones saves two fifths of the CPU at
2,000 events/s and does not hold back a backlog."""
CHOKED_REST_S = 0.1
"""Transactions share the loop with the counting. Where there is more to count than time, they come
first: one that never ends in time is begun anew, and nothing is ever written."""
REBALANCE_REST_S = 0.05
POLL_MS = 200
LEAVE_SECONDS = 2
COMMIT_SECONDS = 5
PUMP_STUCK_MS = 10_000

Deliver = Callable[[Batch], Awaitable[None]]


class Intake(Service):
    """A member of the counters' group: every partition it is given has a tenure."""

    def __init__(
        self, config: CountersConfig, deliver: Deliver, metrics: CounterMetrics, **options: Any
    ) -> None:
        super().__init__(**options)
        self._config = config
        self._deliver = deliver
        self._metrics = metrics
        self._tenures: dict[TopicPartition, tuple[Tenure, asyncio.Task[None]]] = {}
        self._left: dict[TopicPartition, Memory | None] = {}
        self._has_joined = False
        self._pumped_ms = 0
        metrics.watch(self.lags)

    async def on_start(self) -> None:
        """Join the group; partitions come by `take`."""
        config = self._config
        consumer = AIOKafkaConsumer(
            **config.kafka.aiokafka(),
            group_id=config.group_id,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[sticky()],
            session_timeout_ms=config.session_timeout_ms,
            # By a heartbeat too a worker learns that another one is gone.
            heartbeat_interval_ms=config.session_timeout_ms // 10,
            rebalance_timeout_ms=config.session_timeout_ms + 2000,
            max_poll_interval_ms=60_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_wait_ms=100,
        )
        consumer.subscribe([config.topics.usage], listener=_Listener(self))
        self._consumer = consumer
        await self.add_async_context(membership(consumer))

    async def on_stop(self) -> None:
        """Write once more; the group is left after that."""
        await self.release()

    def take(self, assigned: Iterable[TopicPartition]) -> None:
        """These partitions are ours now. Only starts tasks: no heartbeat is sent meanwhile.

        A worker that is stopping takes none: nobody would let them go any more.
        """
        if self.should_stop:
            return
        self._has_joined = True
        self._consumer.pause(*assigned)
        left, self._left = self._left, {}
        for tp in assigned:
            memory = left.get(tp)
            tenure = Tenure(self._config, tp.partition, self._consumer, self._metrics, memory)
            self._tenures[tp] = tenure, asyncio.create_task(tenure.tend())

    async def release(self) -> None:
        """Let all partitions go; one that cannot write in time is dropped.

        What others leave in memory is kept until it is known which of them come back.
        """
        ending, self._tenures = self._tenures, {}
        tasks = [task for _, task in ending.values()]
        for tenure, _ in ending.values():
            tenure.leave()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=LEAVE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._left |= {tp: tenure.memory for tp, (tenure, _) in ending.items()}

    @Service.task
    async def _pump(self) -> None:
        while not self.should_stop:
            try:
                with broken_off():
                    await self._pump_once()
            except (ConsumerStoppedError, IllegalStateError, BrokenOff):
                # A rebalance under way, which needs the loop that a retry at once would starve.
                await asyncio.sleep(REBALANCE_REST_S)

    async def _pump_once(self) -> None:
        if any(tenure.is_choked() for tenure, _ in self._tenures.values()):
            await asyncio.sleep(CHOKED_REST_S)
        fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=FETCH_RECORDS)
        # no await between a fetch and the look-up of its owner
        batches = [
            held[0].claim(records, records[-1].offset + 1)
            for tp, records in fetched.items()
            if records and (held := self._tenures.get(tp))
        ]
        for batch in batches:
            if batch is not None:
                await self._deliver(batch)
        async for batch in self._markers(fetched):
            await self._deliver(batch)
        self._pumped_ms = now_ms()
        for tenure, _ in self._tenures.values():
            tenure.observe()
        if sum(map(len, fetched.values())) < SMALL_FETCH:
            await asyncio.sleep(SMALL_FETCH_REST_S)

    async def _markers(self, fetched: Iterable[TopicPartition]) -> AsyncIterator[Batch]:
        """Where the log goes on but no record does: a transaction's marker has an offset, too."""
        for tp in [tp for tp, (tenure, _) in self._tenures.items() if tenure.is_behind()]:
            if tp not in fetched:
                end = await self._consumer.position(tp)
                held = self._tenures.get(tp)
                live = held[0].live if held else None
                if held and live and end > live.fed and (batch := held[0].claim((), end)):
                    yield batch

    @Service.task
    async def _keep_committing(self) -> None:
        while not self.should_stop:
            await self.sleep(COMMIT_SECONDS)
            await self._commit()

    async def _commit(self) -> None:
        """Tell the group how far we are: for lag dashboards only, nothing reads it."""
        offsets = {
            tp: tenure.live.journal.written
            for tp, (tenure, _) in self._tenures.items()
            if tenure.live
        }
        with contextlib.suppress(KafkaError), broken_off():
            if offsets:
                await self._consumer.commit(offsets)

    def lags(self) -> list[PartitionLag]:
        """The lag of each partition that this worker has."""
        held = sorted(self._tenures.items())
        return [tenure.lag() for _, (tenure, _) in held]

    def is_ready(self) -> bool:
        """In the group, pumping, and every partition live and moving unless at its end."""
        is_pumping = now_ms() - self._pumped_ms < PUMP_STUCK_MS
        return self._has_joined and is_pumping and all(lag.is_moving for lag in self.lags())


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._intake.release()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._intake.take(assigned)
