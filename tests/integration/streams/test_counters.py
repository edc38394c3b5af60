"""Counters on a real broker: exact with repeats, kills, takeovers and changes of entitlements."""

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest

from schemas.errors import Fenced
from streams.health.metrics import CounterMetrics
from streams.journal.journal import Journal
from streams.journal.transactions import Transactions
from tests.integration.streams.counters_bench import Town, wait_for
from tests.unit.streams.builders import a_record, an_event, entitled, limits

pytestmark = pytest.mark.integration

OCTOBER = "2026-10-01T00:00:00Z"


@pytest.fixture
def town(kafka_servers: str, tmp_path: Path) -> Town:
    return Town(kafka_servers, tmp_path)


def assert_exact(town: Town) -> None:
    """Every counter is the truth, every crossing was told exactly once."""
    assert town.rows() == town.truth.rows()
    told = town.told()
    assert set(told) == town.truth.crossings()
    assert len(told) == len(set(told))


def test_counts_are_the_truth_whatever_was_sent_again(town: Town) -> None:
    with town.worker() as worker:
        town.send_usage(8000)
        town.wait_until_counted()
        wait_for(lambda: json.loads(worker.get("/lag"))["lag_records"] == 0, "no lag")
        metrics = worker.get("/metrics")
        assert "countinghouse_counters_events_total 8000.0" in metrics
        assert 'countinghouse_counters_lag_seconds{partition="1"} 0.0' in metrics
        told = "hard limit reached tenant=tenant-"
        wait_for(lambda: told in worker.log.read_text(), "a line about a hard limit")
        assert worker.terminate() < 5
    assert_exact(town)


def test_a_killed_worker_goes_on_where_the_log_says(town: Town) -> None:
    with town.worker() as killed:
        town.send_usage(6000)
        wait_for(lambda: len(town.rows()) > 0, "something to be written")
        town.send_usage(6000)
        killed.kill()
    town.send_usage(2000)
    with town.worker():
        town.wait_until_counted()
        assert_exact(town)


def test_of_two_workers_the_other_takes_over(town: Town) -> None:
    with town.worker() as killed, town.worker() as other:
        town.send_usage(4000)
        killed.kill()
        town.send_usage(4000)
        town.wait_until_counted()
        wait_for(other.is_ready, "the other worker to have all partitions")
        assert sorted(json.loads(other.get("/lag"))["counted"]) == ["0", "1"]
    assert_exact(town)


def test_entitlements_are_followed_while_counting(town: Town) -> None:
    town.send_entitlements(entitled(1, {OCTOBER: limits(1000, 100)}, tenant="tenant-0"))
    with town.worker():
        town.send_usage(400, tenants=1, resends=0)
        town.wait_until_counted()
        assert town.told() == []
        used = town.truth.used["tenant-0"] // 1_000_000
        assert 200 < used < 500
        town.send_entitlements(entitled(2, {OCTOBER: limits(200, 100)}, tenant="tenant-0"))
        wait_for(lambda: len(town.told()) == 4, "the lower limit to be told")
        state = town.states()["tenant-0", "tokens"]
        assert (state.limit, state.decision, state.entitlement_version) == ("200", "deny", 2)


async def _fenced(town: Town) -> Journal:
    first, second = (Journal(town.config, 0, CounterMetrics()) for _ in range(2))
    async with first:
        first.count([a_record(0, an_event(1, 10))], 1)
        await first.write()
        first.count([a_record(1, an_event(2, 500))], 2)
        async with second:
            with pytest.raises(Fenced):
                await first.write()
            second.count([a_record(1, an_event(3, 7))], 2)
            await second.write()
    return second


def test_an_earlier_owner_can_write_nothing_any_more(town: Town) -> None:
    second = asyncio.run(_fenced(town))
    assert second.written == 2
    assert town.rows() == {("acme", "tokens"): "17", ("acme", "calls"): "2"}
    assert town.told() == []


async def _not_at_all(own: Transactions, *, commit: bool) -> None:
    """Nothing is asked of the broker."""


async def _unfinished(town: Town, monkeypatch: pytest.MonkeyPatch) -> int:
    """A transaction that is sent whole, then left: its owner is gone before the commit."""
    gone = Journal(town.config, 0, CounterMetrics())
    async with gone:
        await gone.write()
        gone.count([a_record(0, an_event(1, 500))], 1)
        monkeypatch.setattr(Transactions, "_end", _not_at_all)
        await gone.write()
        monkeypatch.undo()
        async with Journal(town.config, 0, CounterMetrics()) as heir:
            return heir.shard.position


def test_a_transaction_that_was_not_committed_was_never_there(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(_unfinished(town, monkeypatch)) == 0
    assert town.rows() == {}
    assert town.told() == []


async def _broken(town: Town) -> None:
    async with Journal(town.config, 0, CounterMetrics()) as journal:
        fine, broken = a_record(0, an_event(1, 5)), a_record(1, an_event(2, 5))
        journal.count([fine, broken._replace(timestamp=cast(int, "never"))], 2)
        journal.count([a_record(2, an_event(3, 5))], 3)
        with pytest.raises(TypeError):
            await asyncio.wait_for(journal.keep(), 5)


def test_a_record_that_cannot_be_counted_stops_its_partition(town: Town) -> None:
    asyncio.run(_broken(town))
    assert town.rows() == {}


def test_usage_that_was_aborted_is_not_counted(town: Town) -> None:
    producer = town.transactional_producer()
    with town.worker():
        for n, is_kept in enumerate([True, False, True]):
            producer.begin_transaction()
            producer.produce(town.topics.usage, a_record(0, an_event(n, 5)).value, "acme")
            if is_kept:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
        town.wait_until_counted()  # up to the end, where a marker is the last of the log
    assert town.rows() == {("acme", "tokens"): "10", ("acme", "calls"): "2"}
