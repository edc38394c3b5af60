"""A live partition, and the records that are on their way to its journal.

Owns how far it was fed, what is missing between fetches, and its lag; who holds it, `partition`.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from streams.health.lag import PartitionLag
from streams.journal.journal import Journal
from streams.journal.journal_reader import now_ms
from streams.record import Record
from streams.worker.slices import Slices

STUCK_MS = 10_000


class Live:
    """A live partition: its journal and how far it was fed."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.fed = journal.shard.next
        self.waiting: deque[int] = deque()
        self.is_over = False
        self._doubted: int | None = None
        self._seen, self._moved_ms = -1, 0
        self._caught_up_ms = now_ms()

    def is_hole(self, start: int) -> bool:
        """Does a fetch begin beyond the end of the last one, for the first time here?

        A stale fetch looks the same as offsets that are no records (markers of transactions): the
        first is gone when one seeks and looks again, the second is still there.
        """
        if start <= self.fed or self._doubted == self.fed:
            return False
        self._doubted = self.fed
        return True

    def observe(self, highwater: int | None) -> None:
        """Take note of progress; called with every fetch."""
        now, position = now_ms(), self.journal.shard.next
        if position != self._seen:
            self._seen, self._moved_ms = position, now
        if highwater is not None and position >= highwater:
            self._caught_up_ms = now

    def lag(self, highwater: int | None) -> PartitionLag:
        """How far this partition is behind; unknown until its first fetch counts as behind."""
        self.observe(highwater)
        now, shard = now_ms(), self.journal.shard
        records = max(0, (highwater or 0) - shard.position)
        is_behind = highwater is None or records > 0
        # What is not counted is no older than what waits here, or what was counted last, or the
        # moment when nothing was left to count.
        oldest = self.waiting[0] if self.waiting else max(shard.clock_ms, self._caught_up_ms)
        return PartitionLag(
            self.journal.partition,
            counted=shard.position,
            records=records,
            seconds=max(0, now - oldest) / 1000 if is_behind else 0.0,
            is_moving=not records or now - self._moved_ms < STUCK_MS,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Records on their way to a journal; there are no others below `end`."""

    live: Live
    records: Sequence[Record]
    end: int

    async def count(self) -> None:
        """Count them, slice by slice, for as long as their journal is open."""
        slices = Slices(self.records)
        while slices.has_more and not self.live.is_over:
            self.live.journal.count(slices)
            if slices.has_more:
                await asyncio.sleep(0)
        if not self.live.is_over:
            self.live.journal.count((), self.end)
        self.live.waiting.popleft()
