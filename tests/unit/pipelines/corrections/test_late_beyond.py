"""Late usage of more than can be billed: nothing is corrected until it can be said."""

import pytest

from pipelines.corrections.late_listing import late_usage
from schemas.catalog import Catalog
from schemas.money import TOO_DEAR
from schemas.quantity import MOST_MICRO
from schemas.vector import Vector
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import Used
from tests.fakes import FakeLedger
from tests.unit.pipelines.corrections.test_late_usage import World, a_world

BEYOND = "tokens: more than 9223372036854.775807 units cannot be billed"


def send(world: World, day: str, micro: int) -> None:
    world.events.append(Used("acme", "tokens", at(day), micro, 0, len(world.events)))


def test_it_is_carried_on_and_said_until_it_is_taken_back() -> None:
    world = a_world(None, a_subscription("pro 09-01", "bolt"))
    send(world, "10-31", MOST_MICRO)
    world.send(("bolt", "10-31", 1_250_000))
    end = Vector({(1, 0): len(world.events)})
    acme, bolt = late_usage(world.ledger, world.warehouse, end)
    assert (acme.open_minor, acme.carried_on) == (0, BEYOND)
    assert (bolt.open_minor, bolt.carried_on) == (200, None)
    counts = world.close("2026-11")[0].counts
    assert (counts["corrections"], counts["carried_on"]) == (1, 1)
    assert world.corrections("2026-11") == []
    assert world.corrections("2026-11", "bolt") == [("correction", 1_250_000, 200)]
    send(world, "10-31", units(250_000) - MOST_MICRO)
    world.close("2026-12")
    assert world.corrections("2026-12") == [("correction", 250_000, 200)]


@pytest.mark.parametrize("plans", ["pro 09-01, pro 10-16", "pro 09-01, enterprise 10-16"])
def test_more_than_a_line_can_say_in_two_parts_stops_nobody(plans: str) -> None:
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription(plans)]))
    world.close("2026-10")
    for day in ("10-10", "10-20"):
        send(world, day, MOST_MICRO)
    world.close("2026-11")
    assert world.corrections("2026-11") == []


def test_late_usage_of_more_money_than_a_line_says_is_carried_on_and_said() -> None:
    body = llm_tokens().model_dump(mode="json")
    body["plans"]["pro"]["meters"]["tokens"]["overage"] = {"price": {"USD": "1000000", "CNY": "1"}}
    world = a_world(Catalog.model_validate(body), a_subscription("pro 09-01", "bolt"))
    send(world, "10-31", MOST_MICRO // 2)
    world.send(("bolt", "10-31", 1_000_002))
    acme, bolt = late_usage(world.ledger, world.warehouse, Vector({(1, 0): len(world.events)}))
    assert (bolt.open_minor, bolt.carried_on) == (200_000_000, None)
    assert (acme.open_minor, acme.carried_on) == (0, f"tokens: {TOO_DEAR}")
