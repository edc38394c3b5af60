"""A warehouse of a test's own, and deliveries put into it by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

import msgspec
from clickhouse_connect.driver.client import Client

from schemas.catalog import Catalog
from schemas.event import Event
from schemas.period import parse_instant
from schemas.quantity import MICRO
from schemas.quota import QuotaState, StatePosition, Window
from schemas.vector import position
from stores.warehouse.client import connect, migrate
from streams.landing.batches import Deliveries, usage_table
from streams.landing.landed_counters import LandedCounters, counters_table, positions_table

CATALOG = Catalog.model_validate(
    {
        "name": "test",
        "currencies": ["USD"],
        "default_plan": "free",
        "meters": {
            "tokens": {
                "event_type": "llm.request",
                "aggregation": "sum",
                "value": ["input_tokens", "output_tokens"],
            },
            "requests": {"event_type": "llm.request", "aggregation": "count"},
        },
        "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {"tokens": {"included": 100}}}},
    }
)
OCTOBER = Window("billing_period", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
ARRIVED_MS = parse_instant("2026-10-20T00:00:00Z")


class Delivery(NamedTuple):
    """One delivery of an event of a tenant, `tokens` units of the first meter."""

    offset: int
    id: str
    tokens: int = 1
    tenant: str = "a"
    partition: int = 0
    time: str = "2026-10-10T00:00:00Z"
    item: int = 0
    type: str = "llm.request"
    repeated: bool = False
    left_out: tuple[str, ...] = ()
    """Meters whose filters leave it out."""


@contextmanager
def own_warehouse(url: str) -> Iterator[tuple[Client, str]]:
    """A fresh database of the warehouse with all tables; its client and its URL."""
    name = f"test_{uuid4().hex}"
    own_url = url.removesuffix("default") + name
    with connect(url) as admin:
        admin.command(f"CREATE DATABASE {name}")
        with connect(own_url) as client:
            migrate(client)
            yield client, own_url
        admin.command(f"DROP DATABASE {name}")


def deliver(client: Client, *deliveries: Delivery, epoch: int = 1) -> None:
    """Insert deliveries as landing does."""
    found = Deliveries()
    for one in deliveries:
        if one.repeated:
            found.repeated.append(len(found.events))
        found.events.append(_event(one))
        found.partitions.append(one.partition)
        found.offsets.append(one.offset)
        found.arrived_ms.append(ARRIVED_MS)
        found.sent_ms.append(None)
        found.counts.append(1)
    client.insert_arrow("usage_events", usage_table(found, CATALOG, epoch))


def count(
    client: Client,
    used: int,
    at: int,
    *,
    tenant: str = "a",
    meter: str = "tokens",
    partition: int = 0,
    epoch: int = 1,
    state_offset: int = 0,
) -> None:
    """Land a counter that stands for the position `at`."""
    state = QuotaState(
        tenant, meter, OCTOBER, str(used), None, "allow", OCTOBER.end, (), epoch, at, 1
    )
    row = (state, partition, position(epoch, state_offset))
    client.insert_arrow("counters", counters_table(LandedCounters([row])))


def reach(client: Client, at: int, *, partition: int = 0, epoch: int = 1) -> None:
    """Land the complete position of a partition of the counters."""
    place = StatePosition(epoch, at, 0, 1, complete=True)
    landed = LandedCounters(positions={partition: (place, position(epoch, at))})
    client.insert_arrow("counter_positions", positions_table(landed))


def _event(one: Delivery) -> Event:
    quantities = {"tokens": one.tokens * MICRO, "requests": MICRO}
    read = [name for name in quantities if one.type == "llm.request" and name not in one.left_out]
    values = tuple((list(quantities).index(name), quantities[name]) for name in read)
    return Event(
        one.tenant,
        "test",
        one.id,
        one.type,
        parse_instant(one.time),
        one.item,
        msgspec.Raw(b"{}"),
        values,
        "m",
    )
