"""Usage beyond a cut, on the real engine: whose it is, how much, how late; and nothing else."""

from collections.abc import Collection

import pytest
from clickhouse_connect.driver.client import Client

from schemas.late_usage import LateRow
from schemas.period import BillingPeriod, parse_instant
from schemas.quantity import MICRO
from schemas.repeats import RepeatedIds
from schemas.vector import Vector
from stores.warehouse.usage import WarehouseUsage
from tests.warehouses import ARRIVED_MS, Delivery, deliver

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")
CUT = Vector({(1, 0): 10, (1, 1): 5})
NOW = Vector({(1, 0): 100, (1, 1): 100, (2, 0): 50})


def late(client: Client, after: Vector = CUT, until: Vector = NOW) -> set[str]:
    return WarehouseUsage(client, 10).late(OCTOBER, after, until)


def rows(
    client: Client,
    *tenants: str,
    after: Vector = CUT,
    until: Vector = NOW,
    meters: Collection[str] = ("tokens", "requests"),
) -> list[LateRow]:
    return WarehouseUsage(client, 10).late_rows(OCTOBER, after, until, tenants, meters)


def tokens(found: list[LateRow]) -> dict[str, tuple[int, int]]:
    """Units and events of the meter `tokens` by tenant."""
    return {
        row.tenant: (row.quantity_micro // MICRO, row.events)
        for row in found
        if row.meter == "tokens"
    }


def test_what_lies_beyond_a_cut_and_before_another_is_late(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(9, "counted", 1, tenant="before"),
        Delivery(10, "first", 2, tenant="at"),
        Delivery(99, "last", 4, tenant="last"),
        Delivery(100, "next", 8, tenant="beyond"),
    )
    assert late(warehouse) == {"at", "last"}
    everyone = ("before", "at", "last", "beyond")
    assert tokens(rows(warehouse, *everyone)) == {"at": (2, 1), "last": (4, 1)}
    assert tokens(rows(warehouse, "last")) == {"last": (4, 1)}


def test_an_event_is_told_of_the_meters_that_are_asked_for(warehouse: Client) -> None:
    deliver(warehouse, Delivery(10, "late", 2))
    both, one = rows(warehouse, "a"), rows(warehouse, "a", meters=["tokens"])
    assert [(row.meter, row.own_events) for row in both] == [("requests", 1), ("tokens", 0)]
    assert [(row.meter, row.own_events) for row in one] == [("tokens", 1)]


def test_each_partition_has_its_own_cut_and_one_without_is_late_from_0(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(7, "counted", tenant="zero"),
        Delivery(7, "late", 2, tenant="one", partition=1),
        Delivery(7, "unknown", tenant="two", partition=2),
    )
    assert late(warehouse) == {"one"}
    assert late(warehouse, until=Vector({**NOW, (1, 2): 8})) == {"one", "two"}
    assert late(warehouse, after=Vector()) == {"zero", "one"}


def test_an_epoch_that_began_after_the_cut_is_late_from_its_first_record(
    warehouse: Client,
) -> None:
    deliver(warehouse, Delivery(3, "old", 1, tenant="old"))
    deliver(warehouse, Delivery(0, "new", 2, tenant="new"), epoch=2)
    deliver(warehouse, Delivery(0, "later", 4, tenant="later"), epoch=3)
    assert late(warehouse) == {"new"}
    assert tokens(rows(warehouse, "old", "new", "later")) == {"new": (2, 1)}
    drained = Vector({**CUT, (2, 0): 1})
    assert late(warehouse, after=drained) == set()


def test_another_month_s_usage_is_not_this_month_s(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(20, "before", 1, time="2026-09-30T23:59:59.999Z"),
        Delivery(21, "first", 2, time="2026-10-01T00:00:00Z"),
        Delivery(22, "last", 4, time="2026-10-31T23:59:59.999Z"),
        Delivery(23, "after", 8, tenant="b", time="2026-11-01T00:00:00Z"),
    )
    assert late(warehouse) == {"a"}
    assert tokens(rows(warehouse, "a", "b")) == {"a": (6, 2)}


def test_a_resend_of_what_was_counted_adds_nothing_and_one_of_what_is_late_counts_once(
    warehouse: Client,
) -> None:
    deliver(warehouse, Delivery(0, "counted", 5), Delivery(20, "late", 3))
    deliver(warehouse, Delivery(30, "counted", 7), Delivery(31, "late", 9))
    assert tokens(rows(warehouse, "a")) == {"a": (3, 1)}
    warehouse.command("OPTIMIZE TABLE metered_usage FINAL")
    assert tokens(rows(warehouse, "a")) == {"a": (3, 1)}
    assert late(warehouse) == {"a"}


def test_a_resend_alone_leaves_nothing_to_correct(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "counted", 5))
    deliver(warehouse, Delivery(30, "counted", 7))
    assert rows(warehouse, "a") == []


def test_what_meters_leave_out_is_no_late_usage(warehouse: Client) -> None:
    deliver(warehouse, Delivery(20, "filtered", 5, left_out=("tokens", "requests")))
    assert late(warehouse) == set()
    assert rows(warehouse, "a") == []
    deliver(warehouse, Delivery(21, "half", 5, tenant="b", left_out=("requests",)))
    assert [(row.meter, row.own_events) for row in rows(warehouse, "b")] == [("tokens", 1)]


def test_an_event_of_several_meters_is_one_event_of_its_tenant(warehouse: Client) -> None:
    deliver(warehouse, Delivery(20, "x", 5), Delivery(21, "y", 6), Delivery(22, "z", tenant="b"))
    found = rows(warehouse, "a", "b")
    assert {(row.tenant, row.meter): (row.events, row.own_events) for row in found} == {
        ("a", "requests"): (2, 2),
        ("a", "tokens"): (2, 0),
        ("b", "requests"): (1, 1),
        ("b", "tokens"): (1, 0),
    }


def test_it_is_told_when_it_came_and_how_long_it_was_on_its_way(warehouse: Client) -> None:
    early, recent = "2026-10-01T00:00:00Z", "2026-10-19T00:00:00Z"
    deliver(warehouse, Delivery(20, "x", 5, time=early), Delivery(21, "y", -6, time=recent))
    [_, row] = rows(warehouse, "a")
    assert (row.first_arrived_ms, row.last_arrived_ms) == (ARRIVED_MS, ARRIVED_MS)
    assert row.longest_ms == ARRIVED_MS - parse_instant(early)
    assert row.quantity_micro == -MICRO


def test_ids_of_two_months_are_found_by_tenant_and_month(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(0, "x", 1),
        Delivery(1, "x", 1, time="2026-11-01T00:00:00Z"),
        Delivery(2, "y", 1),
        Delivery(3, "y", 1, time="2026-09-30T00:00:00Z"),
        Delivery(4, "z", 1, tenant="b"),
        Delivery(5, "z", 1, tenant="b"),
        Delivery(6, "w", 1, time="2026-09-30T00:00:00Z"),
        Delivery(7, "w", 1, time="2026-11-30T00:00:00Z"),
    )
    usage = WarehouseUsage(warehouse, 10)
    assert usage.repeated_ids(OCTOBER, NOW) == [
        RepeatedIds("a", "2026-09", 1, "test", "y"),
        RepeatedIds("a", "2026-11", 1, "test", "x"),
    ]
    assert usage.repeated_ids(OCTOBER, Vector({(1, 0): 3})) == [
        RepeatedIds("a", "2026-11", 1, "test", "x")
    ]


def test_those_who_are_late_are_more_than_a_request_holds(warehouse: Client) -> None:
    deliver(warehouse, Delivery(10, "first", 2, tenant="at"))
    others = (f"a tenant with a name of its own {n}" for n in range(50_000))
    assert tokens(rows(warehouse, "at", *others)) == {"at": (2, 1)}
