"""The identity of an event in the warehouse, and the members that meters tell apart."""

from collections.abc import Iterator

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.event import Event
from streams.landing.batches import Deliveries, usage_table
from tests.landings import an_event
from tests.siphash import event_key
from tests.warehouses import CATALOG, own_warehouse

pytestmark = pytest.mark.integration

UNIQUE = Catalog.model_validate(
    {
        **CATALOG.model_dump(include={"name", "currencies", "default_plan", "plans"}),
        "meters": {
            "users": {"event_type": "llm.request", "aggregation": "unique_count", "value": ["u"]},
            "tokens": {"event_type": "llm.request", "aggregation": "sum", "value": ["n"]},
        },
    }
)


@pytest.fixture
def client(warehouse_url: str) -> Iterator[Client]:
    """A warehouse of this test's own."""
    with own_warehouse(warehouse_url) as (client, _):
        yield client


def test_the_key_depends_on_where_source_ends(client: Client) -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("1:a", "b"), ("1", ":ab"), ("é", "日本"), ("s" * 200, "i")]
    events = [
        Event("t", source, id_, "x", 1_790_000_000_000, item, msgspec.Raw(b"{}"), ((0, 1),))
        for item, (source, id_) in enumerate(pairs)
    ]
    found = Deliveries(events, [0], [0], [1_790_000_000_000], [None], [len(events)])
    client.insert_arrow("usage_events", usage_table(found, CATALOG, 1))
    for table in ("usage_events", "metered_usage"):
        rows = client.query(f"SELECT source, id, hex(event_key) FROM {table}").result_rows
        assert len(rows) == len(pairs)
        for source, id_, key in rows:
            assert bytes.fromhex(key) == event_key(source, id_)
    assert len({event_key(*pair) for pair in pairs}) == len(pairs)


def test_a_unique_count_has_its_member_beside_a_value_of_one(client: Client) -> None:
    admission = Admission(UNIQUE, None, None, 65_536)
    contents = [{"u": "ann", "n": 3}, {"u": 7.0, "n": 2}, {"u": "ann", "n": 4}]
    events = []
    for n, data in enumerate(contents):
        [event] = admission.admit(b"a", an_event(str(n), data=data), 0)
        assert isinstance(event, Event)
        events.append(event)
    found = Deliveries(events, [0] * 3, [0, 1, 2], [0] * 3, [None] * 3, [1] * 3)
    client.insert_arrow("usage_events", usage_table(found, UNIQUE, 1))
    sql = "SELECT id, meter, toInt64(value), member FROM metered_usage FINAL ORDER BY id, meter"
    assert [tuple(map(str, row)) for row in client.query(sql).result_rows] == [
        ("0", "tokens", "3", ""),
        ("0", "users", "1", "ann"),
        ("1", "tokens", "2", ""),
        ("1", "users", "1", "7"),
        ("2", "tokens", "4", ""),
        ("2", "users", "1", "ann"),
    ]


def test_another_member_under_the_same_id_is_another_content(client: Client) -> None:
    admission = Admission(UNIQUE, None, None, 65_536)
    for offset, user in enumerate(("ann", "bob")):
        [event] = admission.admit(b"a", an_event("x", data={"u": user, "n": 1}), 0)
        assert isinstance(event, Event)
        found = Deliveries([event], [0], [offset], [0], [None], [1])
        client.insert_arrow("usage_events", usage_table(found, UNIQUE, 1))
    [[contents]] = client.query("SELECT contents FROM conflicts").result_rows
    assert contents == 2
