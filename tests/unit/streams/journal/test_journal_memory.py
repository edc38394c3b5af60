"""When a journal leaves its shard in memory, and when that is not what the log says any more."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from streams.counting.shard import Changes
from streams.health.metrics import CounterMetrics
from streams.journal.journal import Journal
from streams.record import Record
from tests.unit.streams.builders import a_config, a_record, an_event

Beside = Callable[[], None]


class Reader:
    """Follows until its event is set, then meets something that it cannot read."""

    entitlements_position = 0
    state_end = 0

    def __init__(self) -> None:
        self.breaks = asyncio.Event()

    async def follow(self, on_crossing: Callable[[], None]) -> None:
        await self.breaks.wait()
        raise KeyError("entitlements")

    async def close(self) -> None:
        """Nothing is open."""


class Writer:
    """Writes in the time in which something happens beside it."""

    state_end: int | None = None

    def __init__(self, beside: Beside) -> None:
        self._beside = beside

    async def write(self, changes: Changes, entitlements_position: int) -> None:
        self._beside()
        await asyncio.sleep(0.01)
        self.state_end = 5


async def kept(folder: Path, beside: Callable[[Journal, Reader], None]) -> Journal:
    """A journal whose last write had something beside it."""
    journal = Journal(a_config(folder), 0, CounterMetrics())
    await journal._close()
    reader = Reader()
    journal._reader = cast(Any, reader)
    journal._writer = cast(Any, Writer(lambda: beside(journal, reader)))
    journal.count([a_record(0, an_event("a", 1))])
    journal.leave()
    await journal.keep()
    return journal


def test_what_is_counted_beside_the_last_write_is_left_in_memory(tmp_path: Path) -> None:
    def count(journal: Journal, _: Reader) -> None:
        journal.count([a_record(1, an_event("b", 2))])

    memory = asyncio.run(kept(tmp_path, count)).memory
    assert memory is not None
    assert (memory.written, memory.shard.next, memory.state_end) == (1, 2, 5)


def test_counting_that_fails_beside_the_last_write_leaves_nothing(tmp_path: Path) -> None:
    def fail(journal: Journal, _: Reader) -> None:
        journal.count(cast("list[Record]", [object()]))

    with pytest.raises(AttributeError):
        asyncio.run(kept(tmp_path, fail))


def test_nor_do_entitlements_that_cannot_be_applied(tmp_path: Path) -> None:
    def fail(_: Journal, reader: Reader) -> None:
        reader.breaks.set()

    with pytest.raises(KeyError):
        asyncio.run(kept(tmp_path, fail))
