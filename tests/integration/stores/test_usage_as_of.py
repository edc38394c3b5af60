"""Usage as of a cut: exact, repeatable, and blind to whatever came later."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.usage.usage_reading import bounds_of, quantities
from schemas.period import BillingPeriod, parse_instant
from schemas.quantity import MICRO
from schemas.tables import USAGE_COLUMNS
from schemas.vector import Vector
from stores.warehouse.usage import WarehouseUsage
from tests.warehouses import CATALOG, Delivery, deliver

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")
NO_BOUNDS: Mapping[str, list[int]] = MappingProxyType({})


def tokens(
    client: Client, as_of: Vector, bounds: Mapping[str, list[int]] = NO_BOUNDS
) -> dict[tuple[str, int], tuple[int, int]]:
    """Units and events of the meter `tokens` by tenant and segment."""
    table = WarehouseUsage(client, 10).usage(OCTOBER, as_of, bounds_of(bounds), CATALOG.meter_list)
    return {
        (row["tenant"], row["segment"]): (row["quantity_micro"] // MICRO, row["events"])
        for row in table.to_pylist()
        if row["meter"] == "tokens"
    }


def cut(offset: int, *, partition: int = 0, epoch: int = 1) -> Vector:
    return Vector({(epoch, partition): offset})


def test_landing_an_offset_again_changes_nothing(warehouse: Client) -> None:
    for _ in range(3):
        deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7))
    assert tokens(warehouse, cut(2)) == {("a", 0): (12, 2)}


def test_a_later_duplicate_does_not_make_an_event_vanish(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5))
    before = tokens(warehouse, cut(1))
    deliver(warehouse, Delivery(900, "x", 8))
    warehouse.command("OPTIMIZE TABLE metered_usage FINAL")
    assert tokens(warehouse, cut(1)) == before == {("a", 0): (5, 1)}
    assert tokens(warehouse, cut(901)) == before, "the first delivery wins"


def test_the_order_of_landing_does_not_decide_which_delivery_is_first(warehouse: Client) -> None:
    deliver(warehouse, Delivery(900, "x", 8))
    deliver(warehouse, Delivery(0, "x", 5))
    assert tokens(warehouse, cut(901)) == {("a", 0): (5, 1)}


def test_within_a_message_the_first_element_of_an_id_counts(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(0, "x", 8, item=1, repeated=True))
    assert tokens(warehouse, cut(1)) == {("a", 0): (5, 1)}
    totals = WarehouseUsage(warehouse, 10).totals(OCTOBER, cut(1), CATALOG.meter_list)
    assert quantities(totals)["a", "tokens"] == 5 * MICRO


def test_a_new_epoch_lies_behind_every_offset_of_the_old_one(warehouse: Client) -> None:
    deliver(warehouse, Delivery(500, "x", 5))
    deliver(warehouse, Delivery(0, "x", 8), Delivery(1, "y", 1), epoch=2)
    old = Vector({(1, 0): 501})
    assert tokens(warehouse, old) == {("a", 0): (5, 1)}
    assert tokens(warehouse, Vector({(1, 0): 501, (2, 0): 2})) == {("a", 0): (6, 2)}


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (Vector(), {}),
        (Vector({(1, 0): 1}), {("a", 0): (1, 1)}),
        (Vector({(1, 3): 8}), {("b", 0): (4, 1)}),
        (Vector({(1, 0): 2, (1, 3): 8}), {("a", 0): (3, 2), ("b", 0): (4, 1)}),
    ],
)
def test_each_partition_is_cut_at_its_own_offset(
    warehouse: Client, as_of: Vector, expected: dict[tuple[str, int], tuple[int, int]]
) -> None:
    deliver(
        warehouse,
        Delivery(0, "x", 1),
        Delivery(1, "y", 2),
        Delivery(7, "z", 4, tenant="b", partition=3),
    )
    assert tokens(warehouse, as_of) == expected


def test_a_segment_counts_the_bounds_at_or_before_the_event(warehouse: Client) -> None:
    change = "2026-10-16T00:00:00Z"
    deliver(
        warehouse,
        Delivery(0, "before", 1, time="2026-10-15T23:59:59.999Z"),
        Delivery(1, "at", 2, time=change),
        Delivery(2, "unbound", 4, tenant="b"),
    )
    bounds = {"a": [OCTOBER.start_ms, parse_instant(change)], "c": [OCTOBER.start_ms]}
    found = tokens(warehouse, cut(3), bounds)
    assert found == {("a", 1): (1, 1), ("a", 2): (2, 1), ("b", 0): (4, 1)}
    assert warehouse.query("SELECT count() FROM closing_bounds").result_rows == [(0,)]


def test_the_month_is_half_open(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(0, "last of September", 1, time="2026-09-30T23:59:59.999Z"),
        Delivery(1, "first of October", 2, time="2026-10-01T00:00:00Z"),
        Delivery(2, "last of October", 4, time="2026-10-31T23:59:59.999Z"),
        Delivery(3, "first of November", 8, time="2026-11-01T00:00:00Z"),
    )
    assert tokens(warehouse, cut(4)) == {("a", 0): (6, 2)}


def test_negative_usage_and_the_largest_quantities_are_exact(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 10**11), Delivery(1, "y", -3))
    assert tokens(warehouse, cut(2)) == {("a", 0): (10**11 - 3, 2)}


def test_the_second_statement_agrees_and_reads_other_tables(warehouse: Client) -> None:
    deliver(warehouse, *(Delivery(n, f"{n % 40}", n, tenant=f"t{n % 3}") for n in range(100)))
    reader = WarehouseUsage(warehouse, 10)
    rows = reader.usage(OCTOBER, cut(80), bounds_of(NO_BOUNDS), CATALOG.meter_list).to_pylist()
    summed = {(row["tenant"], row["meter"]): row["quantity_micro"] for row in rows}
    assert summed == quantities(reader.totals(OCTOBER, cut(80), CATALOG.meter_list))


def test_the_columns_are_those_of_the_contract_even_without_rows(warehouse: Client) -> None:
    table = WarehouseUsage(warehouse, 10).usage(
        OCTOBER, Vector(), bounds_of(NO_BOUNDS), CATALOG.meter_list
    )
    assert {name: str(table.schema.field(name).type) for name in table.schema.names} == (
        USAGE_COLUMNS
    )


def test_only_the_month_that_is_asked_for_is_read(warehouse: Client) -> None:
    for month in ("09", "10", "11"):
        deliver(warehouse, Delivery(int(month), month, time=f"2026-{month}-10T00:00:00Z"))
    where = "WHERE time >= '2026-10-01 00:00:00' AND time < '2026-11-01 00:00:00'"
    for view in ("usage", "usage_daily"):
        condition = where if view == "usage" else "WHERE day = '2026-10-10'"
        text = f"EXPLAIN indexes = 1 SELECT * FROM {view} {condition}"
        plan = "\n".join(line for (line,) in warehouse.query(text).result_rows)
        assert "Parts: 1/3" in plan, plan
