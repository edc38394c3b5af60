"""A meter that comes after a month was closed: filled backwards, and unknown to the month."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipelines.checks.month_ways import as_of_now
from pipelines.close.verification import verify
from pipelines.corrections.late_listing import late_usage
from schemas.catalog import Catalog
from schemas.vector import Vector
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import Used
from tests.unit.pipelines.close.test_closing import MONTH, World
from tests.unit.pipelines.corrections import test_late_usage as late

PRICED: Mapping[str, Any] = {"included": 0, "overage": {"price": {"USD": "0.01", "CNY": "0.01"}}}


def with_requests(price: Mapping[str, Any] | None = None) -> Catalog:
    """The price list with one more meter, which pro prices if a price is given."""
    body = llm_tokens().model_dump(mode="json")
    body["meters"]["requests"] = {"event_type": "llm.request", "aggregation": "count"}
    if price:
        body["plans"]["pro"]["meters"]["requests"] = price
    return Catalog.model_validate(body)


def roll_out(world: World | late.World, catalog: Catalog) -> None:
    """Apply it, and fill the usage that is there with its meter, as a rollout does."""
    world.ledger.sold[2] = catalog
    events = world.warehouse.events
    events += [replace(e, meter="requests", quantity_micro=units(1)) for e in _read(events)]


def _read(events: list[Used]) -> list[Used]:
    return [event for event in events if event.meter == "tokens"]


@pytest.fixture
def world() -> World:
    closed = World()
    closed.close()
    roll_out(closed, with_requests())
    return closed


def test_a_month_closed_before_comes_out_again(world: World) -> None:
    assert verify(MONTH, world.ledger, world.warehouse).differences == ()


def test_nothing_of_it_is_lost_three_ways(world: World) -> None:
    found = as_of_now(MONTH, world.ledger, world.warehouse, world.log, every=True)
    assert {row.meter for row in found.rows} == {"tokens", "input_tokens"}
    assert [row for row in found.rows if row.causes] == []
    few = as_of_now(MONTH, world.ledger, world.warehouse, world.log)
    assert (few.count, few.rows) == (found.count, [])


def test_nor_where_a_plan_of_the_new_price_list_begins_as_the_month_ends(world: World) -> None:
    before = a_subscription("pro 09-01, enterprise 10-11, pro 11-01", "upgrade")
    *until, after = before.segments
    segments = (*until, replace(after, catalog_version=2))
    others = [each for each in world.ledger.subscribed if each.tenant != "upgrade"]
    world.ledger.subscribed = [replace(before, segments=segments), *others]
    assert verify(MONTH, world.ledger, world.warehouse).differences == ()
    found = as_of_now(MONTH, world.ledger, world.warehouse, world.log)
    assert [row for row in found.rows if row.causes] == []


def test_an_open_month_keeps_the_meters_of_its_price_list_too() -> None:
    world = World()
    world.open()
    roll_out(world, with_requests())
    world.close()
    assert {row.meter for row in world.ledger.compared(MONTH)} == {"tokens", "input_tokens"}


def test_late_usage_is_corrected_and_told_by_the_meters_that_were_billed() -> None:
    world = late.a_world()
    world.send(("acme", "10-31 23:00", 250_000))
    roll_out(world, with_requests(PRICED))
    read = world.ledger, world.warehouse, Vector({(1, 0): len(world.events)})
    [told] = late_usage(*read, [MONTH])
    assert told.open_minor == 200
    assert [(row.meter, row.own_events) for row in told.rows] == [("tokens", 1)]
    world.close("2026-11")
    assert world.corrections("2026-11") == [("correction", 250_000, 200)]


def test_a_plan_of_the_new_price_list_is_billed_by_it_from_its_start() -> None:
    world = late.a_world()
    roll_out(world, with_requests(PRICED))
    [old] = world.ledger.subscribed
    [first] = old.segments
    moved = replace(first, catalog_version=2, starts_ms=at("11-11"))
    ended = replace(first, ends_ms=at("11-11"))
    world.ledger.subscribed = [replace(old, segments=(ended, moved))]
    world.send(("acme", "11-20", 5))
    event = world.events[-1]
    world.events.append(replace(event, meter="requests", quantity_micro=units(1)))
    world.close("2026-11")
    lines = [(x.meter, x.quantity_micro) for x in world.invoice("2026-11").lines]
    assert ("requests", units(1)) in lines
    assert verify("2026-11", world.ledger, world.warehouse).differences == ()
    assert verify("2026-10", world.ledger, world.warehouse).differences == ()
