"""What lies between a fetch and a shard: holes, waiting batches, lag, failures."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.period import parse_instant
from streams.counting.shard import Shard
from streams.health.metrics import CounterMetrics
from streams.journal.counters import CountersConfig
from streams.journal.journal import Journal
from streams.journal.journal_reader import now_ms
from streams.record import Record
from streams.worker import slices
from streams.worker.live import Batch, Live
from streams.worker.partition import Tenure
from tests.unit.streams.builders import NOON, ARecord, a_config, a_record, an_event


class Consumed:
    """A consumer's side of one partition: what it was asked for."""

    def __init__(self, highwater: int | None = None) -> None:
        self.sought: list[int] = []
        self.end = highwater

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("usage.events", 3)}

    def highwater(self, _: TopicPartition) -> int | None:
        return self.end

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    def pause(self, _: TopicPartition) -> None:
        """Nothing is fetched here anyway."""


@pytest.fixture
def config(tmp_path: Path) -> CountersConfig:
    return a_config(tmp_path)


@dataclass
class MemoryJournal:
    """A journal that is never written."""

    shard: Shard
    partition: int = 3
    writing_s: float = 0.0

    def count(self, records: Iterable[Record], end: int = 0) -> None:
        self.shard.apply(records)
        self.shard.skip_to(end)


async def _live(config: CountersConfig, consumed: Consumed) -> tuple[Tenure, MemoryJournal]:
    tenure = Tenure(config, 3, cast(AIOKafkaConsumer, consumed), CounterMetrics())
    journal = MemoryJournal(config.shard(0))
    tenure.live = Live(cast(Journal, journal))
    return tenure, journal


def fetch(*offsets: int) -> list[Record]:
    return [a_record(offset, an_event(offset, 1)) for offset in offsets]


def claimed(batch: Batch | None) -> list[int] | None:
    return None if batch is None else [record.offset for record in batch.records]


def in_loop(act: Coroutine[Any, Any, None]) -> None:
    """Run a test's act in an event loop, which a tenure needs."""
    asyncio.run(act)


def test_fetches_that_follow_each_other_are_taken(config: CountersConfig) -> None:
    async def act() -> None:
        consumed = Consumed()
        tenure, journal = await _live(config, consumed)
        for offsets in [(0, 1), (2, 3)]:
            batch = tenure.claim(fetch(*offsets), offsets[-1] + 1)
            assert batch is not None
            await batch.count()
        assert journal.shard.position == 4
        assert consumed.sought == []

    in_loop(act())


def test_a_hole_is_looked_at_again_and_taken_when_it_is_still_there(
    config: CountersConfig,
) -> None:
    async def act() -> None:
        consumed = Consumed()
        tenure, _ = await _live(config, consumed)
        assert claimed(tenure.claim(fetch(5, 6), 7)) is None
        assert consumed.sought == [0]
        assert claimed(tenure.claim(fetch(5, 6), 7)) == [5, 6]
        assert claimed(tenure.claim(fetch(9), 10)) is None
        assert consumed.sought == [0, 7]
        assert claimed(tenure.claim(fetch(7, 8, 9), 10)) == [7, 8, 9]

    in_loop(act())


def test_markers_move_the_position_only_when_they_are_still_there(config: CountersConfig) -> None:
    async def act() -> None:
        tenure, journal = await _live(config, Consumed())
        assert tenure.claim((), 4) is None
        batch = tenure.claim((), 4)
        assert batch is not None
        await batch.count()
        assert journal.shard.position == 4

    in_loop(act())


def test_what_still_waits_for_a_partition_that_was_let_go_is_not_counted(
    config: CountersConfig,
) -> None:
    async def act() -> None:
        tenure, journal = await _live(config, Consumed())
        batch = tenure.claim(fetch(0, 1), 2)
        assert batch is not None
        tenure._become_absent()
        await batch.count()
        assert journal.shard.position == 0

    in_loop(act())


def test_what_takes_long_to_count_lets_others_have_the_loop(
    config: CountersConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE_S", 0)

    async def act() -> None:
        tenure, journal = await _live(config, Consumed())
        batch = tenure.claim(fetch(0, 1, 2), 7)
        assert batch is not None
        assert tenure.live is not None
        counting = asyncio.create_task(batch.count())
        seen = []
        while not counting.done():
            seen.append((journal.shard.position, len(tenure.live.waiting)))
            await asyncio.sleep(0)
        assert seen == [(0, 1), (1, 1), (2, 1), (3, 1)]
        assert (journal.shard.position, len(tenure.live.waiting)) == (7, 0)

    in_loop(act())


def test_a_partition_that_is_let_go_amid_a_batch_counts_no_more_of_it(
    config: CountersConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE_S", 0)

    async def act() -> None:
        tenure, journal = await _live(config, Consumed())
        batch = tenure.claim(fetch(0, 1, 2), 7)
        assert batch is not None
        counting = asyncio.create_task(batch.count())
        await asyncio.sleep(0)
        tenure._become_absent()
        await counting
        assert journal.shard.position == 1

    in_loop(act())


def test_an_absent_partition_takes_nothing_and_is_behind(config: CountersConfig) -> None:
    async def act() -> None:
        tenure, _ = await _live(config, Consumed(5))
        tenure.live = None
        assert tenure.claim(fetch(0), 1) is None
        lag = tenure.lag()
        assert (lag.counted, lag.is_moving) == (None, False)

    in_loop(act())


@pytest.mark.parametrize(
    ("highwater", "records", "is_behind"), [(2, 0, False), (7, 5, True), (None, 0, True)]
)
def test_lag_is_zero_only_when_nothing_is_behind(
    config: CountersConfig, highwater: int | None, records: int, is_behind: bool
) -> None:
    async def act() -> None:
        consumed = Consumed(2)
        tenure, _ = await _live(config, consumed)
        batch = tenure.claim(fetch(0, 1), 2)
        assert batch is not None
        await batch.count()
        assert tenure.live is not None
        tenure.live._caught_up_ms = 0
        consumed.end = highwater
        lag = tenure.lag()
        assert (lag.counted, lag.records) == (2, records)
        assert (lag.seconds > 0) == is_behind

    in_loop(act())


def test_lag_is_the_age_of_what_waits(config: CountersConfig) -> None:
    async def act() -> None:
        tenure, _ = await _live(config, Consumed(1))
        waiting = ARecord(0, now_ms() - 3000, b"acme", b"{}")
        tenure.claim(cast(Any, [waiting]), 1)
        assert 3 <= tenure.lag().seconds < 4

    in_loop(act())


def test_after_a_quiet_time_lag_counts_from_when_nothing_was_behind(
    config: CountersConfig,
) -> None:
    async def act() -> None:
        consumed = Consumed(1)
        tenure, _ = await _live(config, consumed)
        batch = tenure.claim(fetch(0), 1)
        assert batch is not None
        await batch.count()  # its record is weeks old by now
        tenure.observe()
        consumed.end = 2
        assert parse_instant(NOON) < now_ms()
        assert tenure.lag().seconds < 1

    in_loop(act())
