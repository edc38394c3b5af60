"""One partition while it is owned: its shard in memory, its durable state in the log.

Owns the order of things: fence, load, count, write. Memory that could not be written is worth
nothing: whoever gets an error from here drops the journal and opens a new one.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from streams.health.metrics import CounterMetrics
from streams.journal.counters import CountersConfig
from streams.journal.journal_reader import JournalReader
from streams.journal.journal_writer import JournalWriter
from streams.journal.memory import Memory
from streams.record import Record


class Journal:
    """A partition's journal, open within `async with`.

    `memory` is what an earlier journal of this process left of the partition, if anything, and
    what this one leaves: None unless `keep` has returned.

    Every method may raise `Fenced` (someone else opened it since) or `KafkaError`.
    """

    def __init__(
        self,
        config: CountersConfig,
        partition: int,
        metrics: CounterMetrics,
        memory: Memory | None = None,
    ) -> None:
        self.partition = partition
        self.shard = config.shard(partition)
        self.written = 0
        self.memory = memory
        self._reader = JournalReader(config, partition, self.shard)
        self._writer = JournalWriter(config, partition)
        self._metrics = metrics
        self._interval_s = config.flush_interval_s
        self._entitlements_written = -1
        self._due = asyncio.Event()
        self._is_leaving = False
        self._failure: Exception | None = None
        self._writing_since: float | None = None

    @property
    def writing_s(self) -> float:
        """How long a transaction has been under way, in seconds; 0 without one."""
        since = self._writing_since
        return 0.0 if since is None else time.perf_counter() - since

    async def __aenter__(self) -> Self:
        """Fence, then load: the other way round an earlier owner could write after the load."""
        try:
            await self._writer.fence()
            await self._reader.open()
            await self._load()
        except BaseException:
            await self._close()
            raise
        return self

    async def _load(self) -> None:
        """Go on from memory if nobody has written since, else take all from the log."""
        memory, self.memory = self.memory, None
        if memory is not None and memory.state_end == self._reader.state_end:
            self.shard, self.written = memory.shard, memory.written
            await self._reader.resume(memory.shard, memory.entitlements)
        else:
            self._metrics.reloads.inc()
            self.written = await self._reader.load()

    def _remember(self) -> Memory:
        end = self._writer.state_end or self._reader.state_end
        return Memory(self.shard, self.written, self._reader.entitlements_position, end)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._writer.close()
        await self._reader.close()

    def count(self, records: Iterable[Record], end: int = 0) -> None:
        """Count records; there are no others below `end`. An error is raised by `keep`."""
        if self._failure is not None:
            return
        try:
            self.shard.apply(records)
            self.shard.skip_to(end)
        except Exception as error:  # whatever it is, nothing may be counted beyond it
            self._failure = error
        if self.shard.has_crossings or self._failure is not None:
            self._due.set()

    def leave(self) -> None:
        """Let `keep` write once more and return."""
        self._is_leaving = True
        self._due.set()

    async def keep(self) -> None:
        """Write at every interval, at once when something is to be announced, until `leave`.

        What is in memory then is left in `memory`.
        """
        following = asyncio.create_task(self._reader.follow(self._due.set))
        try:
            while True:
                is_last = await self._wait_until_due()
                if following.done():
                    following.result()
                await self.write()
                if is_last:
                    break
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        # Either may have failed beside the last write: such a shard is not what the log says.
        self._check()
        if not following.cancelled():
            following.result()
        self.memory = self._remember()

    def _check(self) -> None:
        """Raise what stopped the counting, if anything did."""
        if self._failure is not None:
            raise self._failure

    async def _wait_until_due(self) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._due.wait(), self._interval_s)
        self._due.clear()
        return self._is_leaving

    async def write(self) -> None:
        """Put what changed into the log in one transaction; nothing moved, nothing written."""
        self._check()
        entitlements = self._reader.entitlements_position
        if (
            not self.shard.has_changes
            and self.shard.position == self.written
            and entitlements == self._entitlements_written
        ):
            return
        changes = self.shard.changes()
        self._writing_since = time.perf_counter()
        try:
            await self._writer.write(changes, entitlements)
            self._metrics.wrote(changes, self.writing_s)
        finally:
            self._writing_since = None
        self.written = changes.position
        self._entitlements_written = entitlements
