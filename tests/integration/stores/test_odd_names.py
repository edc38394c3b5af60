"""Whatever tenants are called, every read of the warehouse finds them."""

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.usage.usage_reading import bounds_of, quantities
from schemas.evidence import EventsOf
from schemas.quantity import MICRO
from schemas.rebuild import Chosen, PartitionCut
from schemas.vector import Vector
from stores.warehouse.events import WarehouseEvents
from stores.warehouse.so_far import used_so_far
from stores.warehouse.usage import WarehouseUsage
from tests.integration.stores.test_compare_counters import FAR, OCTOBER, WINDOW, compare, units
from tests.warehouses import CATALOG, Delivery, count, deliver, reach

pytestmark = pytest.mark.integration

NAMES = (
    *("#", "'", '"', "`", "\\", "\\'", "\\N", "\n", "\r\n", "\t", "\x00", " ", "a b", "NULL", "?"),
    *("{x:String}", "{}", "}", "%s", "%", "$1", ":a", "[]", "','", "--", ";", "/*", "日本", "😀"),
    *("'; DROP TABLE usage_events; --", "n" * 200),
)
AS_OF = Vector({(1, 0): len(NAMES)})
METERS = CATALOG.meter_list


@pytest.fixture
def named(warehouse: Client) -> Client:
    """One event of each, of as many tokens as its place."""
    deliver(warehouse, *(Delivery(n, f"{n}", n + 1, name) for n, name in enumerate(NAMES)))
    reach(warehouse, len(NAMES))
    return warehouse


def expected() -> dict[str, int]:
    return {name: n + 1 for n, name in enumerate(NAMES)}


def test_usage_and_totals_of_all_and_of_those_who_are_named(named: Client) -> None:
    reader = WarehouseUsage(named, WINDOW)
    bounds = bounds_of(dict.fromkeys(NAMES, ()))
    for only in (True, False):
        table = reader.usage(OCTOBER, AS_OF, bounds, METERS, only_bounded=only)
        rows = [row for row in table.to_pylist() if row["meter"] == "tokens"]
        assert {row["tenant"]: row["quantity_micro"] // MICRO for row in rows} == expected()
    for tenants in (None, NAMES):
        found = quantities(reader.totals(OCTOBER, AS_OF, METERS, tenants))
        own = {
            tenant: micro // MICRO for (tenant, meter), micro in found.items() if meter == "tokens"
        }
        assert own == expected()


def test_counters_that_differ_are_looked_at_again(named: Client) -> None:
    for name in NAMES:
        count(named, 1_000, len(NAMES), tenant=name)
    found = compare(named, log=FAR)
    assert {name: units(row) for name, row in found.items()} == {
        name: (1_000, used, 0) for name, used in expected().items()
    }


def test_late_usage(named: Client) -> None:
    reader = WarehouseUsage(named, WINDOW)
    assert reader.late(OCTOBER, Vector(), AS_OF) == set(NAMES)
    rows = reader.late_rows(OCTOBER, Vector(), AS_OF, NAMES, ["tokens"])
    own = {row.tenant: row.quantity_micro // MICRO for row in rows if row.meter == "tokens"}
    assert own == expected()


def test_what_counters_are_made_anew_of(named: Client) -> None:
    cut = PartitionCut(epoch=1, partition=0, partitions=1, offset=len(NAMES))
    chosen = Chosen(tenants=frozenset(NAMES), meters=frozenset({"tokens"}))
    parts = WarehouseUsage(named, WINDOW).parts(CATALOG, chosen, cut, OCTOBER.start_ms)
    assert {part.tenant: part.micro // MICRO for part in parts} == expected()


@pytest.mark.parametrize("name", NAMES)
def test_the_events_of_a_line_and_what_was_used_so_far(named: Client, name: str) -> None:
    asked = EventsOf(name, "tokens", OCTOBER, AS_OF)
    reader = WarehouseEvents(named)
    assert reader.evidence(asked).quantity_micro == expected()[name] * MICRO
    assert reader.events(asked).num_rows == 1
    [row] = used_so_far(named, OCTOBER, METERS, name, "tokens")
    assert (row.tenant, int(row.quantity)) == (name, expected()[name])
