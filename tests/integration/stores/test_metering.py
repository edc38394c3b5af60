"""The warehouse meters as the specification says, for every aggregation, on random months."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from pipelines.usage.metering import Metered, meter_usage
from pipelines.usage.usage_reading import bounds_of, quantities
from schemas.catalog import Catalog
from schemas.event import Event
from schemas.period import BillingPeriod
from schemas.quantity import MICRO, MOST_MICRO
from schemas.vector import Vector
from stores.warehouse.so_far import used_so_far
from stores.warehouse.usage import WarehouseUsage
from streams.landing.batches import Deliveries, usage_table

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")
DAY_MS = 86_400_000
AGGREGATIONS = ("count", "sum", "max", "min", "avg", "latest", "unique_count", "time_weighted")


def a_meter(name: str, aggregation: str, **more: Any) -> dict[str, Any]:
    value = {"value": [name]} if aggregation != "count" else {}
    return {name: {"event_type": "t", "aggregation": aggregation, **value, **more}}


FILTERED = {"filter": {"tier": ["gold"]}}
KEYED = {"dimensions": ["model"], "priced_by": "model", **FILTERED}
METERS: dict[str, Any] = {}
for each in AGGREGATIONS:
    METERS |= a_meter(each, each, **FILTERED)
for each in ("count", "sum", "time_weighted"):
    METERS |= a_meter(f"{each}_by_model", each, **KEYED)
CATALOG = Catalog.model_validate(
    {
        "name": "all",
        "currencies": ["USD"],
        "default_plan": "free",
        "meters": METERS,
        "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {}}},
    }
)
Landed = tuple[int, int, Event]
"""Partition, offset, and what is landed."""


class Month:
    """Deliveries of a few tenants around October, redeliveries with other content among them.

    Instants are few, so that many events share one, with the bounds of segments, or with the
    month's own.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311
        instants = [OCTOBER.start_ms + n * DAY_MS // 2 for n in range(-90, 66)]
        edges = [OCTOBER.start_ms, OCTOBER.end_ms]
        self.instants = [*instants, *edges * 9, *(edge - 1 for edge in edges * 9)]
        self.bounds = {
            tenant: sorted(self.random.sample(range(OCTOBER.start_ms, OCTOBER.end_ms), n))
            for n, tenant in enumerate(("none", "one", "two", "three"))
            if n
        }
        self.bounds["one"] = [OCTOBER.start_ms, self.random.choice(instants[100:140])]
        self.landed: list[Landed] = []
        for partition, tenant in enumerate(("none", "one", "two", "three")):
            self._deliver(tenant, partition)

    def _deliver(self, tenant: str, partition: int) -> None:
        months: dict[str, BillingPeriod] = {}
        for offset in range(self.random.choice((0, 3, 40, 80))):
            number = self.random.randrange(60)
            time_ms = self.random.choice([*self.instants, *self.bounds.get(tenant, ()) * 20])
            month = months.setdefault(f"{number}", BillingPeriod.month_of(time_ms))
            if month.contains(time_ms):  # a repeat in another month is the audit's matter
                event = self._event(tenant, f"{number}", time_ms, item=self.random.randrange(3))
                self.landed.append((partition, offset, event))

    def _event(self, tenant: str, id_: str, time_ms: int, item: int) -> Event:
        values, members, dimensions = [], [], []
        for index, meter in enumerate(CATALOG.meter_list):
            if self.random.random() < 0.2:  # as a filter leaves some out
                continue
            if meter.tells_apart:
                members.append((index, self.random.choice("abcdefghij")))
                continue
            micro = MICRO if meter.aggregation == "count" else self._micro(meter.aggregation)
            values.append((index, micro))
            if meter.priced_by and self.random.randrange(3):
                dimensions.append((index, self.random.choice(("small", "large"))))
        return Event(
            tenant, "s", id_, "t", time_ms, item, msgspec.Raw(b"{}"),
            tuple(values), "m", tuple(members), tuple(dimensions),
        )  # fmt: skip

    def _micro(self, aggregation: str) -> int:
        most = 10 ** self.random.choice((1, 6, 9, 15 if aggregation == "time_weighted" else 17))
        return self.random.randint(-most, most)

    def land(self, client: Client) -> None:
        """Insert the deliveries in parts, in any order."""
        shuffled = self.random.sample(self.landed, len(self.landed))
        for start in range(0, len(shuffled), 50):
            found = Deliveries()
            for partition, offset, event in shuffled[start : start + 50]:
                found.events.append(event)
                found.partitions.append(partition)
                found.offsets.append(offset)
                found.arrived_ms.append(event.time_ms)
                found.sent_ms.append(None)
                found.counts.append(1)
            client.insert_arrow("usage_events", usage_table(found, CATALOG, 1))

    def expected(
        self, as_of: Vector, period: BillingPeriod = OCTOBER
    ) -> dict[tuple[str, str, int, str], tuple[int, int]]:
        """What the specification makes of the first delivery of each id before the cut."""
        firsts: dict[tuple[str, str], tuple[int, Event]] = {}
        for partition, offset, event in self.landed:
            place = offset * 1_000 + event.item
            if (
                offset < as_of[1, partition]
                and place < firsts.get((event.tenant, event.id), (place + 1, event))[0]
            ):
                firsts[event.tenant, event.id] = place, event
        found = {}
        for tenant in ("none", "one", "two", "three"):
            own = [(place, e) for place, e in firsts.values() if e.tenant == tenant]
            for index, meter in enumerate(CATALOG.meter_list):
                usage = meter_usage(
                    meter.aggregation,
                    metered(own, index),
                    period,
                    self.bounds.get(tenant, ()),
                )
                for (segment, value), (micro, events) in usage.items():
                    found[tenant, meter.name, segment, value] = micro, events
        return found


def metered(events: Iterable[tuple[int, Event]], index: int) -> list[Metered]:
    """What one meter reads of the events."""
    found = []
    for place, event in events:
        values, members = dict(event.values), dict(event.members)
        if index in values or index in members:
            found.append(
                Metered(
                    event.time_ms,
                    place,
                    values.get(index, MICRO),
                    members.get(index, ""),
                    dict(event.dimensions).get(index, ""),
                )
            )
    return found


SIXTEENTH = BillingPeriod.around(OCTOBER.start_ms, 16)
"""16 September to 16 October."""


def whole(usage: Mapping[tuple[str, str, int, str], tuple[int, int]]) -> dict[tuple[str, str], int]:
    """Usage by tenant and meter."""
    total: dict[tuple[str, str], int] = {}
    for (tenant, meter, _, _), (micro, _) in usage.items():
        total[tenant, meter] = total.get((tenant, meter), 0) + micro
    return total


@pytest.mark.parametrize("seed", range(12))
def test_the_warehouse_meters_as_the_specification_does(warehouse: Client, seed: int) -> None:
    month = Month(seed)
    month.land(warehouse)
    reader = WarehouseUsage(warehouse, 10)
    for cut in (Vector({(1, p): 999 for p in range(4)}), Vector({(1, 1): 20, (1, 2): 40})):
        expected = month.expected(cut)
        table = reader.usage(OCTOBER, cut, bounds_of(month.bounds), CATALOG.meter_list)
        rows = {
            (row["tenant"], row["meter"], row["segment"], row["value"]): (
                row["quantity_micro"],
                row["events"],
            )
            for row in table.to_pylist()
        }
        assert rows == expected
        totals = quantities(reader.totals(OCTOBER, cut, CATALOG.meter_list))
        wanted = whole(expected)
        assert {k: v for k, v in totals.items() if v} == {k: v for k, v in wanted.items() if v}


@pytest.mark.parametrize("seed", range(3))
def test_some_tenants_are_metered_for_a_period_of_their_own(warehouse: Client, seed: int) -> None:
    month, cut, chosen = Month(seed), Vector({(1, p): 999 for p in range(4)}), ("one", "three")
    month.bounds = {
        tenant: [at_ms for at_ms in own if SIXTEENTH.contains(at_ms)]
        for tenant, own in month.bounds.items()
    }
    month.land(warehouse)
    reader = WarehouseUsage(warehouse, 10)
    everyone = month.expected(cut, SIXTEENTH)
    expected = {key: quantity for key, quantity in everyone.items() if key[0] in chosen}
    own = bounds_of({tenant: month.bounds[tenant] for tenant in chosen})
    table = reader.usage(SIXTEENTH, cut, own, CATALOG.meter_list, only_bounded=True)
    assert {
        (row["tenant"], row["meter"], row["segment"], row["value"]): (
            row["quantity_micro"],
            row["events"],
        )
        for row in table.to_pylist()
    } == expected
    totals = quantities(reader.totals(SIXTEENTH, cut, CATALOG.meter_list, chosen))
    wanted = whole(expected)
    assert {k: v for k, v in totals.items() if v} == {k: v for k, v in wanted.items() if v}


def test_a_resend_is_not_metered_where_a_filter_left_the_first_out(warehouse: Client) -> None:
    month = Month(0)
    names = [meter.name for meter in CATALOG.meter_list]
    first, resent = ((names.index("sum"), MICRO),), ((names.index("max"), MICRO),)
    month.landed = [
        (0, offset, an_event(values)) for offset, values in enumerate((first, resent, first))
    ]
    month.land(warehouse)
    everything = Vector({(1, 0): 9})
    reader = WarehouseUsage(warehouse, 10)
    [row] = reader.usage(OCTOBER, everything, bounds_of({}), CATALOG.meter_list).to_pylist()
    assert (row["meter"], row["quantity_micro"], row["events"]) == ("sum", MICRO, 1)
    assert quantities(reader.totals(OCTOBER, everything, CATALOG.meter_list)) == {
        ("a", "sum"): MICRO
    }
    for view in ("usage", "usage_daily"):
        assert warehouse.query(f"SELECT meter FROM {view}").result_rows == [("sum",)]


def test_what_was_used_so_far_is_what_would_be_billed(warehouse: Client) -> None:
    month = Month(3)
    month.land(warehouse)
    expected = whole(month.expected(Vector({(1, p): 999 for p in range(4)})))
    shown = used_so_far(warehouse, OCTOBER, CATALOG.meter_list, "", "")
    assert {row[:2]: int(row.quantity * MICRO) for row in shown} == expected
    own = used_so_far(warehouse, OCTOBER, CATALOG.meter_list, "two", "avg")
    assert own == [row for row in shown if row[:2] == ("two", "avg")]


@pytest.mark.parametrize("name", ["sum", "time_weighted"])
def test_more_than_can_be_said_is_said_to_be_as_much_and_never_wraps(
    warehouse: Client, name: str
) -> None:
    month = Month(0)
    index = [meter.name for meter in CATALOG.meter_list].index(name)
    values = ((index, 10**18 - 1),)
    month.landed = [(0, n, an_event(values, id_=f"{n}")) for n in range(10)]
    month.land(warehouse)
    reader = WarehouseUsage(warehouse, 10)
    as_of, meters = Vector({(1, 0): 99}), CATALOG.meter_list
    table = reader.usage(OCTOBER, as_of, bounds_of({}), meters)
    found = {row["meter"]: row["quantity_micro"] for row in table.to_pylist()}
    assert found[name] == MOST_MICRO
    assert quantities(reader.totals(OCTOBER, as_of, meters))["a", name] == MOST_MICRO


def an_event(values: tuple[tuple[int, int], ...], id_: str = "x") -> Event:
    return Event("a", "s", id_, "t", OCTOBER.start_ms, 0, msgspec.Raw(b"{}"), values)
