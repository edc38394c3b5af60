"""A month closed with meters that do not add up, and with a price by value."""

from pipelines.checks.checks import charges_match_usage
from pipelines.invoices.books import Books
from pipelines.reports.preview import upcoming_invoices
from schemas.catalog import Catalog
from schemas.money import Money
from schemas.period import BillingPeriod
from schemas.quantity import format_micro
from schemas.vector import Vector
from tests.builders import a_subscription, at, explained, units
from tests.fake_warehouse import FakeWarehouse, Used
from tests.fakes import FakeLedger
from tests.unit.pipelines.close.test_closing import MONTH, World

CATALOG = Catalog.model_validate(
    {
        "name": "office",
        "currencies": ["USD"],
        "default_plan": "basic",
        "meters": {
            "seats": {"event_type": "seats", "aggregation": "latest", "value": ["n"]},
            "storage": {"event_type": "disk", "aggregation": "time_weighted", "value": ["gb"]},
            "rooms": {"event_type": "room", "aggregation": "avg", "value": ["n"]},
        },
        "plans": {
            "basic": {
                "base_fee": {"USD": "0"},
                "meters": {
                    "seats": {"included": 5, "overage": {"price": {"USD": "10"}}},
                    "storage": {"included": 0, "overage": {"per": 24, "price": {"USD": "0.12"}}},
                    "rooms": {"included": "unlimited"},
                },
            },
            "better": {
                "base_fee": {"USD": "0"},
                "meters": {"seats": {"included": 5, "overage": {"price": {"USD": "8"}}}},
            },
        },
    }
)


def a_world() -> World:
    """Eight seats, then six under the better plan; 2 GB from the 11th on; rooms that only count."""
    used = [
        Used("acme", "seats", at("10-02"), units(8), offset=0),
        Used("acme", "storage", at("10-11"), units(2), offset=1),
        Used("acme", "seats", at("10-20"), units(6), offset=2),
        Used("acme", "rooms", at("10-20"), units(3), offset=3),
        Used("acme", "rooms", at("10-21"), units(4), offset=4),
    ]
    ledger = FakeLedger({1: CATALOG}, [a_subscription("basic 09-01, better 10-16", "acme")])
    return World(ledger, FakeWarehouse(used, Vector({(1, 0): 5})))


def test_segments_of_meters_that_do_not_add_up_are_billed_by_what_they_add() -> None:
    world = a_world()
    world.close()
    [invoice] = world.ledger.invoices(MONTH)
    assert [
        f"{x.kind} {x.plan} {x.meter} {format_micro(x.quantity_micro or 0)} {x.amount_minor}"
        for x in invoice.lines
        if x.meter
    ] == [
        "included basic seats 4.999999 0",  # each plan's share of the pool is floored
        "overage basic seats 3.000001 3000",
        "overage better seats -2 -1600",  # given back at the price of its own plan
        "overage basic storage 240 120",  # 2 GB for 5 days at 0.12 a GB-day
        "not_billed better storage 768 0",
    ]
    assert charges_match_usage(Books(MONTH, world.ledger)) == []
    assert "every line agrees" in explained(MONTH, "acme", world.ledger)


def test_what_only_counts_is_unpriced_and_what_is_not_counted_has_no_counter() -> None:
    world = a_world()
    world.warehouse.events = [e for e in world.warehouse.events if e.meter != "storage"]
    world.close()
    rows = {row.meter: row for row in world.ledger.compared(MONTH)}
    assert rows["seats"].counter_micro == rows["seats"].billed_micro == units(6)
    assert (rows["rooms"].billed_micro, rows["rooms"].unpriced_micro) == (0, 3_500_000)
    assert (rows["storage"].counter_micro, rows["storage"].held) == (None, None)


def test_the_preview_is_what_would_be_billed() -> None:
    world = a_world()
    world.open()
    closing = world.ledger.closings[MONTH]
    vector, end_ms = closing.vector, BillingPeriod.month(MONTH).end_ms
    [found] = upcoming_invoices(MONTH, world.ledger, world.warehouse, vector, end_ms)
    assert (found.tenant, found.so_far) == ("acme", Money(1520, "USD"))
