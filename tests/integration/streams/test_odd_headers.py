"""Usage with headers that no Python client would write, on a real broker."""

import asyncio
import json
from pathlib import Path

import pytest

from streams.counting.shard import Shard
from streams.journal.usage_feed import UsageFeed
from tests.integration.streams.counters_bench import Town
from tests.integration.streams.odd_producer import ODD_NAME, send_oddly
from tests.unit.streams.builders import an_event, rows

pytestmark = pytest.mark.integration

NAMES = (b"sent-at", ODD_NAME, b"sent-at", ODD_NAME)


@pytest.fixture
def town(kafka_servers: str, tmp_path: Path) -> Town:
    return Town(kafka_servers, tmp_path, partitions=1)


def send(town: Town, tenant: str) -> None:
    """A unit for each name, from a producer in C."""
    events = [json.dumps(an_event(n, 1, tenant=tenant)).encode() for n in range(len(NAMES))]
    messages = [(tenant.encode(), *one) for one in zip(events, NAMES, strict=True)]
    send_oddly(town.servers, town.topics.usage, messages)
    town.truth.used[tenant] += len(NAMES) * 1_000_000
    town.truth.calls[tenant] += len(NAMES)


def test_a_worker_counts_on_and_so_does_its_heir(town: Town) -> None:
    with town.worker():
        town.send_usage(500)
        send(town, "first")
        town.send_usage(500)
        town.wait_until_counted()
    with town.worker() as heir:
        send(town, "second")
        town.wait_until_counted()
        assert heir.is_ready()
    assert town.rows() == town.truth.rows()


async def _fed(town: Town) -> Shard:
    shard = town.config.shard(0)
    async with UsageFeed(town.config, 0) as usage:
        await usage.feed(shard, len(NAMES))
    return shard


def test_a_rebuild_reads_on_too(town: Town) -> None:
    send(town, "first")
    state = rows(asyncio.run(_fed(town)).changes().rows)["first", "tokens", "2026-10"]
    assert (state.used, state.position) == ("4", 4)
