"""The gate beside real counters on a real broker: it follows them, and knows how old it is."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from countinghouse.gate import Gate
from schemas.entitlement import MeterEntitlement, Threshold
from schemas.errors import DependencyUnreachable
from schemas.period import format_instant, parse_instant
from schemas.quota import POSITION_KEY, state_key
from stores.kafka import KafkaAccess
from streams.health.metrics import CounterMetrics
from streams.journal.journal import Journal
from tests.embedded import ROOT, free_ports, running_broker
from tests.integration.streams.counters_bench import Town, wait_for
from tests.unit.countinghouse.test_gate import a_row
from tests.unit.streams.builders import (
    NOON_MS,
    ARecord,
    a_record,
    a_wide_catalog,
    an_event,
    entitled,
    limits,
)

pytestmark = pytest.mark.integration

OCTOBER = "2026-10-01T00:00:00Z"


@pytest.fixture
def town(kafka_servers: str, tmp_path: Path) -> Town:
    return Town(kafka_servers, tmp_path)


def a_gate(town: Town) -> Gate:
    return Gate(
        town.servers,
        state_topic=town.topics.state,
        usage_topic=town.topics.usage,
        load_seconds=20,
    )


def decisions(town: Town) -> dict[str, str]:
    """What counters wrote of each tenant's tokens."""
    states = town.states().items()
    return {tenant: state.decision for (tenant, meter), state in states if meter == "tokens"}


def test_a_gate_decides_what_the_counters_wrote(town: Town) -> None:
    with town.worker(), a_gate(town) as gate:
        assert gate.decide("tenant-0", "tokens", NOON_MS) == "allow"
        town.send_usage(4000)
        town.wait_until_counted()
        wait_for(lambda: gate.staleness().uncounted == 0, "the gate to know it")
        written = decisions(town)
        assert set(written.values()) == {"allow", "warn", "deny"}
        assert {t: gate.decide(t, "tokens", NOON_MS) for t in written} == written
        november = parse_instant("2026-11-01T00:00:00Z")
        assert {gate.decide(t, "tokens", november) for t in written} == {"allow"}
        assert gate.staleness().seconds < 5


def test_a_gate_that_starts_later_knows_all_at_once(town: Town) -> None:
    with town.worker():
        town.send_usage(4000)
        town.wait_until_counted()
        written = decisions(town)
        with a_gate(town) as gate:
            assert {t: gate.decide(t, "tokens", NOON_MS) for t in written} == written


def test_a_raised_limit_opens_the_gate_again(town: Town) -> None:
    with town.worker(), a_gate(town) as gate:
        town.send_usage(400, tenants=1)
        wait_for(lambda: gate.decide("tenant-0", "tokens", NOON_MS) == "deny", "a denial")
        raised = entitled(1, {OCTOBER: limits(100_000, 100)}, tenant="tenant-0")
        town.send_entitlements(raised)
        wait_for(lambda: gate.decide("tenant-0", "tokens", NOON_MS) == "allow", "the raise")


async def _count(town: Town, *records: ARecord) -> None:
    """Count on partition 0 by a price list with limits by hour (10), day (30) and week (60)."""
    config = replace(town.config, catalog=a_wide_catalog())
    async with Journal(config, 0, CounterMetrics()) as journal:
        journal.count(records, records[-1].offset + 1)
        await journal.write()


DAY_MS, HOUR_MS = 86_400_000, 3_600_000
TOMORROW_MS = (time.time_ns() // 1_000_000 // DAY_MS + 1) * DAY_MS
"""Windows that are over are not kept, so these begin with tomorrow."""


def an_event_at(hour: int, n: int) -> ARecord:
    instant_ms = TOMORROW_MS + hour * HOUR_MS
    event = an_event(hour, n, time=format_instant(instant_ms))
    return a_record(hour, event)._replace(timestamp=instant_ms)


def test_a_gate_heeds_every_kind_of_window_while_it_runs(town: Town) -> None:
    # 12 is more than an hour's 10, with 20 it is more than a day's 30 and less than a week's 60
    asyncio.run(_count(town, an_event_at(12, 12), an_event_at(14, 20)))
    with a_gate(town) as gate:
        hours = (11, 12, 14, 15, 23, 24)
        asked = [gate.decide("acme", "tokens", TOMORROW_MS + hour * HOUR_MS) for hour in hours]
    assert asked == ["deny", "deny", "deny", "deny", "deny", "allow"]


def test_an_hours_limit_denies_in_its_hour_alone(town: Town) -> None:
    asyncio.run(_count(town, an_event_at(12, 12)))
    with a_gate(town) as gate:
        asked = [
            gate.decide("acme", "tokens", TOMORROW_MS + hour * HOUR_MS) for hour in (11, 12, 13)
        ]
    assert asked == ["allow", "deny", "allow"]


def test_a_gate_denies_when_the_grace_is_over(town: Town) -> None:
    hard = MeterEntitlement("5", (), Threshold(100, "5"), deny_after_s=3600)
    message = msgspec.json.encode(entitled(1, {OCTOBER: hard}))
    town.producer.produce(town.topics.entitlements, message, "acme", partition=0)
    town.producer.flush()
    asyncio.run(_count(town, an_event_at(12, 6)))
    over_ms = TOMORROW_MS + 13 * HOUR_MS
    with a_gate(town) as gate:
        assert gate.decide("acme", "tokens", over_ms - 1) == "warn"
        assert gate.decide("acme", "tokens", over_ms) == "deny"


def test_a_gate_says_that_usage_waits_while_no_counters_run(town: Town) -> None:
    with a_gate(town) as gate:
        town.send_usage(100, resends=0)
        wait_for(lambda: gate.staleness().uncounted == 100, "the gate to notice")
        assert gate.staleness().seconds < 5


def test_rows_of_a_transaction_that_was_aborted_are_not_seen(town: Town) -> None:
    producer = Producer({"bootstrap.servers": town.servers, "transactional.id": town.name})
    producer.init_transactions()
    with a_gate(town) as gate:
        for tenant, is_kept in [("aborted", False), ("kept", True)]:
            key, value = a_row("deny", tenant=tenant)
            producer.begin_transaction()
            producer.produce(town.topics.state, value, key, partition=0)
            producer.flush()
            producer.commit_transaction() if is_kept else producer.abort_transaction()
        wait_for(lambda: gate.decide("kept", "tokens", NOON_MS) == "deny", "the kept one")
        assert gate.decide("aborted", "tokens", NOON_MS) == "allow"


def test_what_is_no_row_does_not_stop_the_gate(town: Town) -> None:
    foreign = (b"[", b'{"tenant":"\xff"}', b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", None)
    with a_gate(town) as gate:
        for value in foreign:
            town.producer.produce(town.topics.state, value, state_key("x", "y", "hour", "z"), 0)
            town.producer.produce(town.topics.state, value, b"x", 0)
            town.producer.produce(town.topics.state, value, POSITION_KEY, 0)
        key, value = a_row("deny")
        town.producer.produce(town.topics.state, value, key, 0)
        town.producer.flush()
        wait_for(lambda: gate.decide("acme", "tokens", NOON_MS) == "deny", "the next row")


def test_a_gate_without_its_broker_answers_and_says_how_old_it_is(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    with running_broker(tmp_path / "kafka") as broker:
        town = Town(broker.servers, tmp_path)
        key, value = a_row("deny")
        town.producer.produce(town.topics.state, value, key, 0)
        town.producer.flush()
        with a_gate(town) as gate:
            broker.process.kill()
            wait_for(lambda: gate.staleness().seconds > 4, "the gate to age")
            assert gate.decide("acme", "tokens", NOON_MS) == "deny"


def test_a_gate_that_finds_no_broker_says_so() -> None:
    with pytest.raises(DependencyUnreachable, match="was not read within 2 s"):
        Gate(f"127.0.0.1:{free_ports(1)[0]}", load_seconds=2)


def test_the_example_prints_decision_and_age(kafka_servers: str) -> None:
    from streams.topics import ensure_topics

    ensure_topics(KafkaAccess(kafka_servers), partitions=2, replication=1)
    argv = [sys.executable, "examples/gate.py", "tenant-42", "tokens"]
    ours = {**os.environ, "PYTHONPATH": str(ROOT), "COUNTINGHOUSE_KAFKA": kafka_servers}
    done = subprocess.run(argv, cwd=ROOT, env=ours, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("allow: as of ")
    assert "0 records were not yet counted" in done.stdout
