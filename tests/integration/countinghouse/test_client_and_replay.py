"""The producer and the replay on a real broker: right partitions, and going on after a stop."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import uuid4

import pyarrow as pa
import pytest
from aiokafka.partitioner import murmur2
from clickhouse_connect.driver.client import Client
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from countinghouse.client import UsageProducer
from countinghouse.replay import ReplayTarget, find_sent, replay
from countinghouse.replay_file import ReplaySource, read_source
from countinghouse.replay_plan import Extras
from schemas.errors import Conflict
from schemas.topics import SENT_AT_HEADER, USAGE_EVENTS
from stores.kafka import KafkaAccess
from streams.topics import ensure_topics
from tests.embedded import running_broker
from tests.landings import a_landing, land_all
from tests.warehouses import own_warehouse

pytestmark = pytest.mark.integration

PARTITIONS = 5
WINDOW = 100
EXTRAS = Extras(resend_share=0.05, resend_beyond=10, malformed=5)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this module's own, with all topics."""
    with running_broker(tmp_path_factory.mktemp("replay-kafka")) as broker:
        ensure_topics(KafkaAccess(broker.servers), partitions=PARTITIONS, replication=1)
        yield broker.servers


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[tuple[Client, str]]:
    """An empty warehouse: a client of it, and its URL."""
    with own_warehouse(warehouse_url) as own:
        yield own


@pytest.fixture
def source(tmp_path: Path) -> ReplaySource:
    """Two thousand requests of seven tenants, under a name of their own."""
    path = tmp_path / f"{uuid4()}.csv"
    rows = [f"t{n % 7},2026-10-{1 + n // 200:02}T00:00:00Z,m,{n},1" for n in range(2000)]
    path.write_text("\n".join(["tenant,time,model,input_tokens,output_tokens", *rows]))
    return read_source(path)


def records(servers: str, source: str, count: int) -> list[Message]:
    """The first so many records that name the source."""
    group = {"group.id": str(uuid4()), "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": servers, **group})
    places = [TopicPartition(USAGE_EVENTS, n, OFFSET_BEGINNING) for n in range(PARTITIONS)]
    consumer.assign(places)
    found: list[Message] = []
    while len(found) < count:
        message = consumer.poll(10)
        assert message is not None, f"{len(found)} of {count} records"
        if source.encode() in (message.value() or b""):
            found.append(message)
    consumer.close()
    return found


def test_a_tenant_s_partition_is_the_one_that_java_gives_it(servers: str) -> None:
    name = str(uuid4())
    tenants = [f"tenant-{n}" for n in range(400)]
    with UsageProducer(servers, source=name) as usage:
        for tenant in tenants:
            usage.record(tenant, "llm.request", {"input_tokens": 1, "output_tokens": 1})
    for message in records(servers, name, len(tenants)):
        assert message.partition() == (murmur2(message.key()) & 0x7FFFFFFF) % PARTITIONS
        headers = dict(cast("list[tuple[str, bytes]]", message.headers()))
        assert 0 <= message.timestamp()[1] - int(headers[SENT_AT_HEADER]) < 60_000


def test_what_was_spooled_without_a_broker_is_sent_with_one(servers: str, tmp_path: Path) -> None:
    spool, name = tmp_path / "spool", str(uuid4())
    offline = UsageProducer("127.0.0.1:1", source=name, spool_path=spool, config={"log_level": 0})
    offline.record("a", "llm.request", {}, event_id="kept")
    offline.close(0)
    with UsageProducer(servers, source=name, spool_path=spool):
        pass
    [message] = records(servers, name, 1)
    assert b'"id":"kept"' in (message.value() or b"")
    assert not list(tmp_path.iterdir())


def test_a_replay_counts_what_it_sends_and_finds_it_again(
    servers: str, warehouse: tuple[Client, str], source: ReplaySource
) -> None:
    client, url = warehouse
    target = ReplayTarget(KafkaAccess(servers), PARTITIONS, WINDOW)
    assert not find_sent(client, source).landed.any()
    first = replay(source, target, extras=EXTRAS)
    assert (first.sent, first.beyond, first.malformed) == (2000, 10, 5)
    assert 50 < first.resent < 150
    land_all(a_landing(servers, url, partitions=PARTITIONS))
    sql = "SELECT uniqExact(id), count() FROM usage_events FINAL WHERE source = {s:String}"
    [[events, deliveries]] = client.query(sql, {"s": source.source}).result_rows
    assert events == first.sent
    assert deliveries == first.sent + first.resent + first.beyond
    again = replay(source, target, extras=EXTRAS, already=find_sent(client, source))
    assert (again.skipped, again.produced) == (2000, 0)


def test_a_replay_that_was_stopped_goes_on_with_what_is_missing(
    servers: str, warehouse: tuple[Client, str], source: ReplaySource
) -> None:
    client, url = warehouse
    target = ReplayTarget(KafkaAccess(servers), PARTITIONS, WINDOW)
    half = replace(source, rows=source.rows.slice(0, 800))
    replay(half, target, extras=replace(EXTRAS, resend_beyond=0, malformed=0))
    land_all(a_landing(servers, url, partitions=PARTITIONS))
    rest = replay(source, target, extras=EXTRAS, already=find_sent(client, source))
    assert (rest.skipped, rest.sent, rest.beyond, rest.malformed) == (800, 1200, 10, 5)
    land_all(a_landing(servers, url, partitions=PARTITIONS))
    assert find_sent(client, source).landed.all()


def test_another_file_of_the_same_name_is_told_apart(
    servers: str, warehouse: tuple[Client, str], source: ReplaySource
) -> None:
    client, url = warehouse
    replay(source, ReplayTarget(KafkaAccess(servers), PARTITIONS, WINDOW))
    land_all(a_landing(servers, url, partitions=PARTITIONS))
    other = replace(source, rows=source.rows.slice(1))
    with pytest.raises(Conflict, match="give this file a name of its own"):
        find_sent(client, other)
    grown = replace(source, rows=pa.concat_tables([source.rows, source.rows.slice(0, 1)]))
    assert find_sent(client, grown).landed.sum() == 2000


def test_a_replay_waits_for_counters_that_lag(servers: str, source: ReplaySource) -> None:
    lags = iter([0.0, 0.9, 0.9, 0.4, 0.1])
    done: list[int] = []
    result = replay(
        source,
        ReplayTarget(KafkaAccess(servers), PARTITIONS, WINDOW),
        throttle=lambda: next(lags, 0.0),
        progress=lambda rows, _: done.append(rows),
        look_seconds=0,
    )
    assert result.slowed == 1
    assert result.slowed_seconds > 0
    assert done[-1] == 2000
