"""The events of a correction on the real engine: those between two cuts, added up and listed."""

import pytest
from clickhouse_connect.driver.client import Client

from schemas.evidence import EventsOf
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.vector import Vector
from stores.warehouse.events import WarehouseEvents
from tests.warehouses import Delivery, deliver

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")
BILLED, CORRECTED = Vector({(1, 0): 10}), Vector({(1, 0): 30, (2, 0): 5})


def test_events_are_those_beyond_one_cut_and_before_another(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(9, "on time", 1),
        Delivery(10, "late", 2),
        Delivery(29, "last", 4),
        Delivery(20, "on time", 8),
        Delivery(30, "next", 16),
        Delivery(15, "november", 32, time="2026-11-01T00:00:00Z"),
    )
    deliver(warehouse, Delivery(4, "epoch", 64), epoch=2)
    reader = WarehouseEvents(warehouse)
    late = EventsOf("a", "tokens", OCTOBER, CORRECTED, after=BILLED)
    found = reader.evidence(late)
    assert (found.events, found.quantity_micro) == (3, 70 * MICRO)
    listed = reader.events(late)
    assert sorted(listed["id"].to_pylist()) == ["epoch", "last", "late"]
    assert sum(listed["quantity_micro"].to_pylist()) == found.quantity_micro
    on_time = reader.evidence(EventsOf("a", "tokens", OCTOBER, BILLED))
    whole = reader.evidence(EventsOf("a", "tokens", OCTOBER, CORRECTED, left_micro=MICRO))
    assert (whole.included_micro, whole.beyond_micro) == (MICRO, 70 * MICRO)
    sums = int(on_time.digest[:16], 16) + int(found.digest[:16], 16)
    assert sums % 2**64 == int(whole.digest[:16], 16)
