"""What is left in memory of a partition that was let go, on a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from schemas.partitions import partition_of
from streams.health.metrics import CounterMetrics
from streams.journal.journal import Journal
from streams.journal.memory import Memory
from streams.journal.transactions import BATCH_BYTES
from tests.integration.streams.counters_bench import PARTITIONS, Town, Worker, wait_for
from tests.unit.streams.builders import a_record, an_event, entitled, limits

pytestmark = pytest.mark.integration

ROW_BYTES = 800
"""At least so many bytes does a tenant of the test take in `quota.state`, with its two rows."""

OCTOBER = "2026-10-01T00:00:00Z"


@pytest.fixture
def town(kafka_servers: str, tmp_path: Path) -> Town:
    return Town(kafka_servers, tmp_path)


@asynccontextmanager
async def a_journal(town: Town, memory: Memory | None = None) -> AsyncIterator[Journal]:
    """A journal, let go at the end: written once more, its memory left."""
    journal = Journal(town.config, 0, CounterMetrics(), memory)
    async with journal:
        yield journal
        journal.leave()
        await journal.keep()


def count(journal: Journal, offset: int, tokens: int) -> None:
    """One more event, at this offset."""
    journal.count([a_record(offset, an_event(offset, tokens))], offset + 1)


async def let_go(town: Town) -> Memory:
    """What a journal leaves that counted 10 tokens."""
    async with a_journal(town) as first:
        count(first, 0, 10)
    assert first.memory is not None
    return first.memory


def test_a_partition_that_comes_back_goes_on_from_memory(town: Town) -> None:
    async def act() -> None:
        memory = await let_go(town)
        async with a_journal(town, memory) as second:
            assert second.shard is memory.shard
            assert second.written == 1
            count(second, 1, 7)
        async with a_journal(town, second.memory) as third:
            assert third.shard is memory.shard
            count(third, 2, 5)

    asyncio.run(act())
    assert town.rows() == {("acme", "tokens"): "22", ("acme", "calls"): "3"}


def test_it_does_so_too_where_its_last_rows_took_several_batches(town: Town) -> None:
    names = (f"tenant-{n:04}-{'x' * 80}" for n in range(PARTITIONS * 2 * BATCH_BYTES // ROW_BYTES))
    tenants = [each for each in names if partition_of(each.encode(), PARTITIONS) == 0]

    async def act() -> None:
        async with a_journal(town) as first:
            events = enumerate(an_event(n, 3, each) for n, each in enumerate(tenants))
            first.count([a_record(offset, event) for offset, event in events], len(tenants))
        async with a_journal(town, first.memory) as second:
            assert second.shard is first.shard

    asyncio.run(act())
    assert town.rows() == {
        (each, meter): used for each in tenants for meter, used in [("tokens", "3"), ("calls", "1")]
    }


def test_memory_is_worth_nothing_once_somebody_else_has_written(town: Town) -> None:
    async def act() -> None:
        memory = await let_go(town)
        async with a_journal(town) as other:
            count(other, 1, 100)
        async with a_journal(town, memory) as back:
            assert back.shard is not memory.shard
            count(back, 2, 5)

    asyncio.run(act())
    assert town.rows() == {("acme", "tokens"): "115", ("acme", "calls"): "3"}


def test_memory_stands_where_somebody_else_came_and_wrote_nothing(town: Town) -> None:
    async def act() -> None:
        memory = await let_go(town)
        async with Journal(town.config, 0, CounterMetrics()) as other:
            assert other.written == 1
        async with a_journal(town, memory) as back:
            assert back.shard is memory.shard

    asyncio.run(act())


def test_entitlements_that_came_meanwhile_are_in_force(town: Town) -> None:
    async def act() -> None:
        memory = await let_go(town)
        for version, pool in [(2, 16), (1, 90)]:
            town.send_entitlements(entitled(version, {OCTOBER: limits(pool, 100)}))
        async with a_journal(town, memory) as back:
            count(back, 1, 6)

    town.producer.flush()
    asyncio.run(act())
    state = town.states()["acme", "tokens"]
    assert (state.limit, state.decision, state.entitlement_version) == ("16", "deny", 2)
    assert [(kind, percent) for kind, _, percent in town.told() if kind == "hard"] == [
        ("hard", 100)
    ]


def test_what_was_counted_after_the_last_write_is_written_by_the_next_journal(town: Town) -> None:
    async def act() -> None:
        async with a_journal(town) as first:
            count(first, 0, 10)
        count(first, 1, 90)
        async with a_journal(town, first.memory):
            pass

    asyncio.run(act())
    assert town.rows() == {("acme", "tokens"): "100", ("acme", "calls"): "2"}
    assert ("hard", "acme", 100) in town.told()


def test_a_journal_that_failed_leaves_no_memory(town: Town) -> None:
    async def act() -> Memory | None:
        memory = await let_go(town)
        async with Journal(town.config, 0, CounterMetrics(), memory) as failing:
            broken = a_record(1, an_event(1, 5))._replace(timestamp=cast(int, "never"))
            failing.count([broken], 2)
            with pytest.raises(TypeError):
                await failing.keep()
        return failing.memory

    assert asyncio.run(act()) is None


def reloads(worker: Worker) -> int:
    """How many partitions it has read from the log so far."""
    name = "countinghouse_counters_reloads_total "
    [told] = [line for line in worker.get("/metrics").splitlines() if line.startswith(name)]
    return int(float(told.removeprefix(name)))


def test_a_worker_keeps_what_it_has_when_others_come_and_go(
    kafka_servers: str, tmp_path: Path
) -> None:
    town = Town(kafka_servers, tmp_path, partitions=4)
    with town.worker() as old:
        town.send_usage(400)
        town.wait_until_counted()
        with town.worker() as new:
            wait_for(old.is_ready, "the old worker to have its half")
            town.send_usage(400)
            town.wait_until_counted()
            assert (reloads(old), reloads(new)) == (4, 2)
            new.terminate()
        town.send_usage(400)
        town.wait_until_counted()
        assert reloads(old) == 6
    assert town.rows() == town.truth.rows()
    assert set(town.told()) == town.truth.crossings()
    assert len(town.told()) == len(town.truth.crossings())
