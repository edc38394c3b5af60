"""A partition in the hands of this worker: live (fenced, loaded, fed) or absent, nothing between.

Owns what follows when a journal fails, and which fetches are taken. The consumer belongs to the
intake.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer

from schemas.errors import DependencyUnreachable, Fenced
from streams.bounded import BrokenOff, broken_off
from streams.health.lag import PartitionLag
from streams.health.metrics import CounterMetrics
from streams.journal.counters import CountersConfig
from streams.journal.journal import Journal
from streams.journal.journal_reader import now_ms
from streams.journal.memory import Memory
from streams.record import Record
from streams.worker.live import Batch, Live

logger = logging.getLogger(__name__)

FENCED_REST_S = 3
"""Whoever was fenced was probably away; by then the group has told it whether it is still owner.
Reopening at once would fence the rightful owner back."""
FAILED_REST_S = 1
CHOKED_S = 1


class Tenure:
    """The time during which this worker has a partition; `tend` lasts as long.

    `memory` is what the last tenure here left of it, and then what this one leaves.
    """

    def __init__(
        self,
        config: CountersConfig,
        partition: int,
        consumer: AIOKafkaConsumer,
        metrics: CounterMetrics,
        memory: Memory | None = None,
    ) -> None:
        self.live: Live | None = None
        self.memory = memory
        self.tp = config.usage(partition)
        self._config = config
        self._consumer = consumer
        self._metrics = metrics
        self._leaving = asyncio.Event()
        self._absent_ms = now_ms()

    def leave(self) -> None:
        """Write once more, then let the partition go."""
        self._leaving.set()
        if self.live is not None:
            self.live.journal.leave()

    async def tend(self) -> None:
        """Keep the partition live until `leave`; whatever fails, drop the memory and load again."""
        while not self._leaving.is_set():
            try:
                with broken_off():
                    await self._hold()
            except Fenced as fenced:
                self._metrics.fenced.inc()
                logger.warning("%s: its memory is dropped", fenced)
                await self._rest(FENCED_REST_S)
            except DependencyUnreachable as silence:
                logger.warning("%s: the partition is loaded again", silence)
                await self._rest(FAILED_REST_S)
            except BrokenOff:
                logger.warning("partition %d was broken off: loaded again", self.tp.partition)
                await self._rest(FAILED_REST_S)
            except Exception as error:
                logger.exception(
                    "partition %d failed (%r): loaded again in %d s",
                    self.tp.partition,
                    error,
                    FAILED_REST_S,
                )
                await self._rest(FAILED_REST_S)

    async def _hold(self) -> None:
        if self.tp not in self._consumer.assignment():
            await self._rest(FAILED_REST_S)
            return
        memory, self.memory = self.memory, None
        async with Journal(self._config, self.tp.partition, self._metrics, memory) as journal:
            logger.info(
                "partition %d is live at offset %d, read again from %d",
                self.tp.partition,
                journal.written,
                journal.shard.next,
            )
            self._consumer.seek(self.tp, journal.shard.next)
            self.live = Live(journal)
            try:
                self._consumer.resume(self.tp)
                if self._leaving.is_set():
                    journal.leave()
                await journal.keep()
                self.memory = journal.memory
                logger.info("partition %d let go at offset %d", self.tp.partition, journal.written)
            finally:
                self._become_absent()

    def _become_absent(self) -> None:
        if self.live is not None:
            self.live.is_over = True
        self.live = None
        self._absent_ms = now_ms()
        if self.tp in self._consumer.assignment():
            self._consumer.pause(self.tp)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)

    def claim(self, records: Sequence[Record], end: int) -> Batch | None:
        """Take a fetch, or refuse it and have it fetched again.

        `end` is where the fetch ended; without records there is nothing between `fed` and it.
        """
        live = self.live
        if live is None:
            return None
        if live.is_hole(records[0].offset if records else end):
            self._metrics.holes.inc()
            self._consumer.seek(self.tp, live.fed)
            return None
        live.fed = max(live.fed, end)
        live.waiting.append(records[0].timestamp if records else now_ms())
        return Batch(live, records, end)

    def lag(self) -> PartitionLag:
        """How far it is behind; an absent partition is, by the time it has been absent."""
        if self.live is None:
            absent_s = (now_ms() - self._absent_ms) / 1000
            return PartitionLag(self.tp.partition, None, 0, absent_s, is_moving=False)
        return self.live.lag(self._highwater())

    def observe(self) -> None:
        """Take note of progress; called with every fetch."""
        if self.live is not None:
            self.live.observe(self._highwater())

    def is_choked(self) -> bool:
        """Is a transaction under way that takes longer than any should?"""
        return self.live is not None and self.live.journal.writing_s > CHOKED_S

    def is_behind(self) -> bool:
        """Does the log reach beyond what was fed?"""
        return self.live is not None and (self._highwater() or 0) > self.live.fed

    def _highwater(self) -> int | None:
        if self.tp not in self._consumer.assignment():
            return None
        highwater: int | None = self._consumer.highwater(self.tp)
        return highwater
