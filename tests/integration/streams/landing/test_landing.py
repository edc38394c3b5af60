"""Landing on a real broker and warehouse: every event once, whatever the records hold."""

import time
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from countinghouse.client import PRODUCER_CONFIG
from schemas.partitions import partition_of
from schemas.quota import POSITION_KEY, QuotaState, StatePosition, state_key
from schemas.topics import QUOTA_STATE, USAGE_EVENTS
from schemas.vector import Vector
from stores.warehouse.usage import WarehouseUsage
from tests.integration.streams.odd_producer import ODD_NAME, send_oddly
from tests.landings import (
    PARTITIONS,
    a_landing,
    an_event,
    dead_letters,
    land_all,
    landed,
    landing,
    send,
    tokens,
    usage_log,
    wait_for,
    wait_landed,
)
from tests.warehouses import OCTOBER

pytestmark = pytest.mark.integration


def test_landing_twice_gives_the_same_rows(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    events = [(f"t{n % 7}", str(n % 900)) for n in range(1000)]  # a tenth are repeats
    send(servers, *((t.encode(), an_event(i, t, source)) for t, i in events))
    land_all(a_landing(servers, url))
    first = landed(client, source)
    land_all(a_landing(servers, url))
    assert landed(client, source) == first
    distinct = len(set(events))
    assert len(first) == 2 * distinct
    [[deliveries]] = client.query(
        "SELECT count() FROM usage_events FINAL WHERE source = {s:String}", {"s": source}
    ).result_rows
    assert deliveries == 1000


POISON: tuple[tuple[str, bytes | None, bytes | None], ...] = (
    ("empty", b"a", None),
    ("empty", b"a", b""),
    ("empty", b"a", b"[]"),
    ("not_json", b"a", b"\xff\xfe\x00"),
    ("not_json", b"a", b"["),
    ("not_json", b"a", an_event("x")[:-3]),
    ("not_json", b"a", an_event("SURROGATE").replace(b"SURROGATE", b"\\ud800")),
    ("not_an_event", b"a", b"{}"),
    ("not_an_event", b"a", b"7"),
    ("not_an_event", b"a", b"[" * 50_000),
    ("not_an_event", b"a", an_event("x", time=None)),
    ("not_an_event", b"a", an_event("x", specversion="0.3")),
    ("too_large", b"a", an_event("x", data={"model": "m" * 70_000})),
    ("key_missing", None, an_event("x")),
    ("key_mismatch", b"b" * 2_000, an_event("x")),
    ("key_mismatch", b"\xff", an_event("x")),
    ("invalid_time", b"a", an_event("x", time="yesterday")),
    ("invalid_time", b"a", an_event("x", time="1970-01-01T00:00:00Z")),
    ("invalid_value", b"a", an_event("x", data={"input_tokens": 1})),
    ("invalid_value", b"a", an_event("x", data={"input_tokens": 10**30, "output_tokens": 1})),
    ("invalid_value", b"a", an_event("x", data={"input_tokens": "1e9", "output_tokens": None})),
    (
        "invalid_value",
        b"a",
        an_event("x", data={"input_tokens": 0.1234567, "output_tokens": 1}),
    ),
)


def test_poison_is_put_aside_with_its_reason_and_stops_nothing(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    ends = usage_log(a_landing(servers, url)).ends()
    poisoned = [(key, value) for _, key, value in POISON]
    send(servers, *poisoned, (b"a", an_event("good", source=source)))
    land_all(a_landing(servers, url))
    assert tokens(client, source) == {"good": 3}
    rows = client.query("SELECT reason, partition, offset, detail FROM rejected_usage").result_rows
    mine = [row for row in rows if row[2] >= ends[1, row[1]]]
    assert sorted(reason for reason, *_ in mine) == sorted(reason for reason, *_ in POISON)
    assert all(detail for *_, detail in mine)


def test_a_bad_element_does_not_spoil_its_array(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    bad = an_event("bad", source=source, time="never")
    elements = [an_event("one", source=source), bad, an_event("two", source=source)]
    again = an_event("one", source=source, data={"input_tokens": 50, "output_tokens": 0})
    send(servers, (b"a", b"[" + b",".join([*elements, again]) + b"]"))
    land_all(a_landing(servers, url))
    assert tokens(client, source) == {"one": 3, "two": 3}
    [(value, headers)] = dead_letters(servers, source)
    assert value == bad
    assert headers["reason"] == "invalid_time"
    assert (headers["topic"], headers["item"]) == (USAGE_EVENTS, "1")


def test_an_id_with_other_content_is_a_conflict_and_the_first_counts(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    other = an_event("x", source=source, data={"input_tokens": 90, "output_tokens": 9})
    send(servers, (b"a", an_event("x", source=source)), (b"a", other))
    land_all(a_landing(servers, url))
    assert tokens(client, source) == {"x": 3}
    sql = "SELECT id, contents, deliveries FROM conflicts WHERE source = {s:String}"
    assert client.query(sql, {"s": source}).result_rows == [("x", 2, 2)]


def test_events_of_any_month_land_in_one_batch(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    months = [f"{2000 + n // 12}-{n % 12 + 1:02}-15T00:00:00Z" for n in range(180)]
    send(servers, *((b"a", an_event(t, source=source, time=t)) for t in months))
    land_all(a_landing(servers, url))
    assert len(tokens(client, source)) == 180


def test_late_events_are_rejected_by_their_arrival(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    send(
        servers,
        (b"a", an_event("now", source=source, time=now)),
        (b"a", an_event("old", source=source, time="2020-01-01T00:00:00Z")),
        (b"a", an_event("early", source=source, time="2120-01-01T00:00:00Z")),
    )
    land_all(a_landing(servers, url, max_age_ms=86_400_000, max_lead_ms=3_600_000))
    assert set(tokens(client, source)) == {"now"}
    reasons = [headers["reason"] for _, headers in dead_letters(servers, source)]
    assert sorted(reasons) == ["in_future", "too_old"]


def test_the_send_time_travels_in_a_header(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    producer = Producer({**PRODUCER_CONFIG, "bootstrap.servers": servers})
    for event_id, sent in (("good", b"1790000000123"), ("bad", b"soon"), ("far", b"9" * 30)):
        value = an_event(event_id, source=source)
        producer.produce(USAGE_EVENTS, value, b"a", headers=[("sent-at", sent)])
    producer.flush()
    land_all(a_landing(servers, url))
    sql = "SELECT id, toUnixTimestamp64Milli(sent) FROM usage_events WHERE source = {s:String}"
    rows: Any = client.query(sql, {"s": source}).result_rows
    assert dict(rows) == {"good": 1_790_000_000_123, "bad": None, "far": None}


def test_committed_counters_land_with_the_position_they_stand_for(
    servers: str, warehouse: tuple[Client, str]
) -> None:
    client, url = warehouse
    producer = Producer({"bootstrap.servers": servers, "transactional.id": str(uuid4())})
    producer.init_transactions()
    write_counters(producer, "a", used="12.5", at=7, complete=True)
    producer.commit_transaction()
    write_counters(producer, "b", used="1", at=9, complete=False)
    producer.commit_transaction()
    write_counters(producer, "c", used="1", at=11, complete=True)
    producer.abort_transaction()
    with landing(a_landing(servers, url)):
        wait_for(lambda: client.query("SELECT count() FROM counters").result_rows == [(2,)])
    rows = client.query("SELECT tenant, toString(used), position, partition FROM counters FINAL")
    assert sorted(map(tuple, rows.result_rows)) == [("a", "12.5", 7, 1), ("b", "1", 9, 1)]
    assert WarehouseUsage(client, 10).counted() == Vector({(1, 1): 7})


def write_counters(producer: Producer, tenant: str, *, used: str, at: int, complete: bool) -> None:
    """A transaction of the counters, to be ended by the caller."""
    state = QuotaState(tenant, "tokens", OCTOBER, used, None, "allow", OCTOBER.end, (), 1, at, 1)
    place = StatePosition(1, at, 0, 1, complete=complete)
    key = state_key(tenant, "tokens", "billing_period", OCTOBER.start)
    producer.begin_transaction()
    for record_key, record in ((key, state), (POSITION_KEY, place), (b"\x00other", place)):
        producer.produce(QUOTA_STATE, msgspec.json.encode(record), record_key, partition=1)
    producer.flush()


def test_a_transactional_producer_s_markers_are_not_waited_for(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    identity = {"bootstrap.servers": servers, "transactional.id": str(uuid4())}
    producer = Producer({**identity, "partitioner": PRODUCER_CONFIG["partitioner"]})
    producer.init_transactions()
    for event_id, end in (
        ("kept", producer.commit_transaction),
        ("not", producer.abort_transaction),
    ):
        producer.begin_transaction()
        producer.produce(USAGE_EVENTS, an_event(event_id, source=source), b"a")
        producer.flush()
        end()
    land_all(a_landing(servers, url))
    assert set(tokens(client, source)) == {"kept"}


def test_a_record_that_the_warehouse_refuses_is_put_aside_alone(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    client.command("ALTER TABLE usage_events ADD CONSTRAINT no_poison CHECK id != 'poison'")
    ids = [*map(str, range(40)), "poison", *map(str, range(40, 80))]
    send(servers, *((b"a", an_event(i, source=source)) for i in ids))
    land_all(a_landing(servers, url))
    assert set(tokens(client, source)) == set(ids) - {"poison"}
    [(value, headers)] = dead_letters(servers, source)
    assert value == an_event("poison", source=source)
    assert headers["reason"] == "not_storable"
    assert "no_poison" in headers["detail"]


EXTREMES: tuple[dict[str, Any], ...] = (
    {"time": "2000-01-01T00:00:00Z"},
    {"time": "2199-12-31T23:59:59.999Z"},
    {"data": {"input_tokens": 10**11, "output_tokens": 10**11, "model": "m"}},
    {"data": {"input_tokens": -(10**11), "output_tokens": -(10**11)}},
    {
        "data": {
            "input_tokens": "1e11",
            "output_tokens": "99999999999.999999",
            "model": "m" * 60_000,
        }
    },
    {
        "data": {
            "input_tokens": 0,
            "output_tokens": 0,
            "model": "\x00",
            "text": "\x00\x7f\U0001f600",
        }
    },
    {"type": "\x00"},
    {"type": "é" * 200},
)


def test_whatever_is_admitted_can_be_stored(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    tenants = ["a", "\x00", "日" * 200, "'; DROP TABLE usage_events", "\U0001f600"]
    events = [(t, f"{t[:9]}-{n}", odd) for t in tenants for n, odd in enumerate(EXTREMES)]
    send(servers, *((t.encode(), an_event(i, t, source, **odd)) for t, i, odd in events))
    land_all(a_landing(servers, url))
    sql = "SELECT tenant, id FROM usage_events FINAL WHERE source = {s:String}"
    assert set(client.query(sql, {"s": source}).result_rows) == {(t, i) for t, i, _ in events}
    assert not dead_letters(servers, source)


def test_readiness_and_metrics_are_served(servers: str, warehouse: tuple[Client, str]) -> None:
    _, url = warehouse
    config = a_landing(servers, url)
    with landing(config):
        wait_landed(config)
        base = f"http://127.0.0.1:{config.port}"
        assert httpx.get(f"{base}/readyz").text == "ready\n"
        assert "countinghouse_landing_events_total" in httpx.get(f"{base}/metrics").text
        assert httpx.get(f"{base}/else").status_code == 404


def test_a_header_that_no_python_client_would_write_costs_nobody_anything(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    names = (b"sent-at", ODD_NAME) * 30  # so often that Python has made its calls quick
    values = [an_event(str(n), source=source) for n in range(len(names))]
    messages = [(b"a", *one) for one in zip(values, names, strict=True)]
    send_oddly(servers, USAGE_EVENTS, messages)
    land_all(a_landing(servers, url))
    assert len(tokens(client, source)) == len(names)


def test_what_kafka_deleted_before_it_was_landed_is_told(
    servers: str, warehouse: tuple[Client, str], source: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, url = warehouse
    config = a_landing(servers, url)
    land_all(config)
    send(servers, *((b"a", an_event(f"lost {n}", source=source)) for n in range(5)))
    home = partition_of(b"a", PARTITIONS)
    ends = usage_log(config).ends()[1, home]
    place = TopicPartition(USAGE_EVENTS, home, ends)
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_records([place])[place].result(20)
    send(servers, (b"a", an_event("kept", source=source)))
    land_all(config)
    assert list(tokens(client, source)) == ["kept"]
    told = f"usage.events[{home}]: offsets {ends - 5} to {ends - 1} were deleted by Kafka"
    assert told in caplog.text


def test_a_topic_s_partitions_are_all_read(servers: str, warehouse: tuple[Client, str]) -> None:
    _, url = warehouse
    config = a_landing(servers, url)
    producer = Producer({"bootstrap.servers": servers})
    for partition in range(PARTITIONS):
        producer.produce(USAGE_EVENTS, b"junk", partition=partition)
    producer.flush()
    land_all(config)
    assert set(usage_log(config).landed()) == {(1, n) for n in range(PARTITIONS)}
