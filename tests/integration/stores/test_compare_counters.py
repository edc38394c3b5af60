"""Counters beside the warehouse, as of the counters' positions; repeats are explained."""

from dataclasses import dataclass

import pytest
from clickhouse_connect.driver.client import Client

from schemas.catalog import Catalog
from schemas.closing import CounterComparison, CountersCompared
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.vector import Vector
from stores.warehouse.usage import WarehouseUsage
from tests.warehouses import CATALOG, Delivery, count, deliver, reach

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")
WINDOW = 10


@dataclass(frozen=True)
class Landed:
    """A log of which landing has read this much."""

    vector: Vector

    def ends(self) -> Vector:
        return self.vector

    def landed(self) -> Vector:
        return self.vector

    def drained(self) -> Vector:
        return Vector()


FAR = Landed(Vector({(epoch, p): 10_000 for epoch in (1, 2) for p in range(8)}))


def compare_all(client: Client, log: Landed = FAR, catalog: Catalog = CATALOG) -> CountersCompared:
    return WarehouseUsage(client, WINDOW, 0).compare_counters(OCTOBER, catalog, log)


def compare(
    client: Client, meter: str = "tokens", log: Landed = FAR
) -> dict[str, CounterComparison]:
    rows = compare_all(client, log).rows
    return {row.tenant: row for row in rows if row.meter == meter}


def units(row: CounterComparison) -> tuple[int, int, int]:
    """Counter, warehouse and beyond the window, in units."""
    return (
        row.counter_micro // MICRO,
        row.warehouse_micro // MICRO,
        row.beyond_window_micro // MICRO,
    )


def test_a_counter_stands_for_its_own_position(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7), Delivery(2, "landed since", 9))
    count(warehouse, 12, at=2)
    assert units(compare(warehouse)["a"]) == (12, 12, 0)


def test_an_unchanged_counter_stands_for_its_partition_s_position(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(0, "x", 5),
        Delivery(3, "of the neighbour", 7, tenant="b"),
        Delivery(5, "missing in the counter", 2),
    )
    count(warehouse, 5, at=1)
    count(warehouse, 7, at=4, tenant="b")
    reach(warehouse, 6)
    found = compare(warehouse)
    assert units(found["a"]) == (5, 7, 0)
    assert found["a"].difference_micro == -2 * MICRO
    assert found["b"].difference_micro == 0


def test_a_tenant_without_a_counter_is_compared_at_its_partition_s_position(
    warehouse: Client,
) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7), Delivery(0, "z", 1, "b", 1))
    reach(warehouse, 1)
    found = compare(warehouse)
    assert units(found["a"]) == (0, 5, 0)
    assert units(found["b"]) == (0, 0, 0), "its partition's counters have read nothing"


def test_a_counter_without_usage_is_a_difference(warehouse: Client) -> None:
    count(warehouse, 3, at=9)
    assert compare(warehouse)["a"].difference_micro == 3 * MICRO


@pytest.mark.parametrize(
    ("offsets", "beyond"),
    [
        ([0, 9], 0),  # same bucket
        ([0, 19], 0),  # the bucket before
        ([0, 20], 1),  # two buckets back: forgotten
        ([9, 20], 1),  # the bucket decides, not the distance of eleven
        ([0, 15, 25], 0),  # a repeat that was not counted is remembered as well
        ([0, 20, 25], 1),  # the second repeat knows the first
        ([0, 20, 40], 2),
        ([0, 39, 40, 41], 1),
    ],
)
def test_repeats_beyond_the_window_are_explained(
    warehouse: Client, offsets: list[int], beyond: int
) -> None:
    deliver(warehouse, *(Delivery(offset, "x", 1) for offset in offsets))
    count(warehouse, 1 + beyond, at=100)
    assert units(compare(warehouse)["a"]) == (1 + beyond, 1, beyond)


def test_each_delivery_counts_with_its_own_value(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(50, "x", 8))
    count(warehouse, 13, at=51)
    reach(warehouse, 51)
    assert units(compare(warehouse)["a"]) == (13, 5, 8)
    assert units(compare(warehouse, "requests")["a"]) == (0, 1, 1)


def test_a_repeat_behind_the_counter_s_position_is_not_explained_yet(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(50, "x", 5))
    count(warehouse, 5, at=50)
    assert units(compare(warehouse)["a"]) == (5, 5, 0)


def test_a_repeat_within_one_message_is_never_counted(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(0, "x", 8, item=1, repeated=True))
    count(warehouse, 5, at=1)
    assert compare(warehouse)["a"].difference_micro == 0


def test_landing_twice_is_no_repeat(warehouse: Client) -> None:
    for _ in range(2):
        deliver(warehouse, Delivery(0, "x", 5), Delivery(50, "x", 5))
    count(warehouse, 10, at=51)
    assert units(compare(warehouse)["a"]) == (10, 5, 5)


def test_older_epochs_count_in_full_and_a_new_one_has_forgotten_them(warehouse: Client) -> None:
    deliver(warehouse, Delivery(700, "x", 5), Delivery(701, "y", 1, partition=5))
    deliver(warehouse, Delivery(0, "x", 5), epoch=2)
    count(warehouse, 11, at=1, epoch=2)
    reach(warehouse, 1, epoch=2)
    assert units(compare(warehouse)["a"]) == (11, 6, 5)


def test_counted_is_the_newest_complete_position_of_each_partition(warehouse: Client) -> None:
    reader = WarehouseUsage(warehouse, WINDOW)
    assert reader.counted() == Vector()
    reach(warehouse, 5)
    reach(warehouse, 9)
    reach(warehouse, 4, partition=2)
    assert reader.counted() == Vector({(1, 0): 9, (1, 2): 4})


def test_a_counter_s_newest_row_wins(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7))
    count(warehouse, 12, at=2, state_offset=8)
    count(warehouse, 5, at=1, state_offset=3)
    assert units(compare(warehouse)["a"]) == (12, 12, 0)


def test_a_new_topic_of_which_nothing_is_read_yet_compares_the_one_before(
    warehouse: Client,
) -> None:
    deliver(warehouse, Delivery(700, "x", 5), Delivery(701, "y", 1, partition=5))
    deliver(warehouse, Delivery(0, "not counted yet", 9), epoch=2)
    count(warehouse, 6, at=0, epoch=2, partition=3)
    for partition in range(8):
        reach(warehouse, 0, partition=partition, epoch=2)
    drained = Landed(Vector({(1, 0): 701, (1, 5): 702}))
    found = compare_all(warehouse, drained)
    assert found.behind == {}
    assert [units(row) for row in found.rows if row.meter == "tokens"] == [(6, 6, 0)]


def landed_to(offset: int) -> Landed:
    return Landed(Vector({(1, 0): offset}))


def test_landing_behind_a_counter_leaves_it_out_and_says_by_how_much(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7, tenant="b"))
    count(warehouse, 9, at=40)
    count(warehouse, 7, at=2, tenant="b")
    reach(warehouse, 40)
    found = compare_all(warehouse, landed_to(2))
    assert found.behind == {0: 38}
    assert {row.tenant for row in found.rows if row.meter == "tokens"} == {"b"}
    assert not [row for row in found.differing if row.meter == "tokens"]


def test_a_counter_is_compared_no_further_than_landing_has_come(warehouse: Client) -> None:
    """Of the neighbour's events beyond what is landed for sure, some are stored already."""
    deliver(warehouse, Delivery(0, "x", 5), Delivery(30, "stored, not committed", 2))
    count(warehouse, 5, at=1)
    reach(warehouse, 20)
    found = compare_all(warehouse, landed_to(10))
    assert found.behind == {}
    assert [units(row) for row in found.rows if row.meter == "tokens"] == [(5, 5, 0)]


def test_landing_ahead_of_the_counters_shows_no_difference(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7), Delivery(1, "z", 1, "new"))
    count(warehouse, 5, at=1)
    reach(warehouse, 1)
    found = compare(warehouse, log=landed_to(2))
    assert units(found["a"]) == (5, 5, 0)
    assert units(found["new"]) == (0, 0, 0)


def test_a_counter_that_was_tampered_with_is_told(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(0, "y", 5, tenant="b", partition=1))
    count(warehouse, 6, at=1)
    count(warehouse, 5, at=1, tenant="b", partition=1)
    differing = [row for row in compare_all(warehouse).differing if row.meter == "tokens"]
    assert [(row.tenant, row.difference_micro) for row in differing] == [("a", MICRO)]


@pytest.mark.parametrize(
    ("november", "explained"),
    [
        (5, 0),  # another's offset: the id is known there, and forgotten by none
        (29, -2),  # the bucket after October's delivery: stored in both months, counted in one
        (35, 0),  # two buckets later: counted in both
    ],
)
def test_an_id_that_comes_in_two_months_is_explained(
    warehouse: Client, november: int, explained: int
) -> None:
    october = Delivery(15, "x", 2, time="2026-09-10T00:00:00Z")
    again = Delivery(november, "x", 2)
    counted = 2 + explained
    deliver(warehouse, october, again)
    if counted:
        count(warehouse, counted, at=50)
        count(warehouse, counted // 2, at=50, meter="requests")
    reach(warehouse, 50)
    found = compare(warehouse)["a"]
    assert units(found) == (counted, 2, explained)
    assert found.difference_micro == 0


def test_an_id_that_one_record_has_with_times_of_two_months_is_explained(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(15, "x", 2, time="2026-09-10T00:00:00Z"),
        Delivery(15, "x", 2, item=1),
    )
    reach(warehouse, 50)
    found = compare(warehouse)["a"]
    assert units(found) == (0, 2, -2)
    assert found.difference_micro == 0


def test_ids_of_two_months_may_be_more_than_a_request_holds(warehouse: Client) -> None:
    # An hour of events, sent again just after midnight with the time of the resend.
    count_of = 45_000
    times = ("2026-09-30T23:59:00Z", "2026-10-01T00:00:00Z")
    sent = [
        Delivery(at, f"an event with an id of its own {n}", 1, time=time, item=n)
        for at, time in zip((15, 16), times, strict=True)
        for n in range(count_of)
    ]
    deliver(warehouse, *sent)
    reach(warehouse, 50)
    found = compare(warehouse)["a"]
    assert units(found) == (0, count_of, -count_of)
    assert found.difference_micro == 0
