"""Usage by day, kept: filled as a whole, as often as one likes, also on top of a killed filling."""

from collections.abc import Sequence
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.period import BillingPeriod
from stores.warehouse.by_day import fill_by_day
from tests.warehouses import Delivery, deliver

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")
DAYS = "SELECT day, tenant, meter, model, quantity, events"


def kept(client: Client) -> Sequence[Sequence[Any]]:
    return client.query(f"{DAYS} FROM usage_by_day ORDER BY ALL").result_rows


def exact(client: Client) -> Sequence[Sequence[Any]]:
    return client.query(f"{DAYS} FROM usage_daily ORDER BY ALL").result_rows


def test_what_is_kept_is_what_the_view_says(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7, tenant="b"), Delivery(2, "z", 1))
    deliver(warehouse, Delivery(3, "x", 5), Delivery(4, "w", 2, time="2026-10-31T23:59:59.999Z"))
    rows = fill_by_day(warehouse, OCTOBER, filled_ms=1_000)
    assert kept(warehouse) == exact(warehouse)
    assert rows == len(exact(warehouse)) == 6


def test_filling_again_replaces_the_month_and_no_other(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "n", 3, time="2026-11-01T00:00:00Z"))
    for month in (OCTOBER, BillingPeriod.month("2026-11")):
        fill_by_day(warehouse, month, filled_ms=1_000)
    deliver(warehouse, Delivery(2, "late", 9))
    fill_by_day(warehouse, OCTOBER, filled_ms=2_000)
    assert kept(warehouse) == exact(warehouse)
    told = "SELECT DISTINCT toYYYYMM(day), toUnixTimestamp64Milli(filled) FROM usage_by_day"
    assert set(warehouse.query(told).result_rows) == {(202610, 2_000), (202611, 1_000)}


def test_a_month_without_usage_is_empty_afterwards(warehouse: Client) -> None:
    assert fill_by_day(warehouse, OCTOBER, filled_ms=1_000) == 0
    assert kept(warehouse) == []


def test_nothing_is_left_beside_the_table(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5))
    fill_by_day(warehouse, OCTOBER, filled_ms=1_000)
    tables = "SELECT name FROM system.tables WHERE database = currentDatabase()"
    found = [name for (name,) in warehouse.query(tables).result_rows]
    assert [name for name in found if name.startswith("usage_by_day")] == ["usage_by_day"]
