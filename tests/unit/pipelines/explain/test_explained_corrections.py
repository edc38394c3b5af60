"""A correction is explained: what was billed, what is owed with what came late, and its events."""

import json

import pytest

from pipelines.explain.correction_events import correction_events
from pipelines.explain.corrections import explain_corrections
from pipelines.explain.explanation import explain_invoice
from pipelines.explain.line_events import Told, tell
from pipelines.explain.line_words import block, evidence_of
from pipelines.explain.lines_with_events import events_of
from schemas.catalog import Catalog
from schemas.errors import NotFound
from schemas.invoice import Invoice
from schemas.vector import Vector
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_events import FakeEvents
from tests.fakes import FakeLedger
from tests.unit.pipelines.corrections.test_late_usage import World, a_world, with_policy


def told(world: World, invoice: Invoice, number: int) -> str:
    rows = explain_corrections(invoice, world.ledger, world.warehouse)
    return block(explain_invoice(invoice, world.ledger, rows), number)


def evidence(world: World, invoice: Invoice) -> list[Told]:
    reader = FakeEvents(world.events)
    return [tell(each, reader) for each in correction_events(invoice, world.ledger)]


def test_a_correction_tells_what_was_billed_and_what_is_owed_with_the_price_s_steps() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000), ("acme", "11-05", 10))
    world.close("2026-11")
    text = told(world, world.invoice("2026-11"), 3)
    assert [row.strip().partition(", SHA-256")[0] for row in text.splitlines()] == [
        "correction        Late usage of October 2026: tokens of Pro → 2.00",
        "billed on 2026-10-000001: 1,500,000 tokens, 4.00",
        "owed by price list version 1",
        "included          Pro, October: 1,000,000 tokens, 0.00",
        "overage           Pro, October: 750,000 tokens × 0.000008 = 6 → 6.00",
        "owed together: 1,750,000 tokens, 6.00",
        "difference: 250,000 tokens, 2.00",
    ]


def test_its_events_are_those_beyond_the_invoice_up_to_this_close() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000), ("acme", "11-05", 10))
    world.close("2026-11")
    world.send(("acme", "10-31", 1))
    [found] = evidence(world, world.invoice("2026-11"))
    assert (found.of.number, found.found_micro, found.found_events) == (3, units(250_000), 1)
    assert (found.of.asked.after, found.agrees) == (Vector({(1, 0): 1}), True)
    assert list(evidence_of(found)) == [
        "1 late event, together 250,000",
        "which is the line's quantity",
        "digest of all 1 late event: 1",
    ]


def test_a_second_correction_goes_on_from_the_first() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    world.send(("acme", "10-31", 125_000))
    world.close("2026-12")
    text = told(world, world.invoice("2026-12"), 2)
    assert "corrected on 2026-11-000001: 250,000 tokens, 2.00" in text
    assert "difference: 125,000 tokens, 1.00" in text
    [found] = evidence(world, world.invoice("2026-12"))
    assert (found.found_micro, found.agrees) == (units(125_000), True)


def test_tiers_are_told_step_by_step() -> None:
    body = llm_tokens().model_dump(mode="json")
    body["plans"]["pro"]["meters"]["tokens"]["overage"] = {
        "model": "graduated",
        "tiers": [
            {"up_to": 600_000, "price": {"USD": "0.00001", "CNY": "1"}},
            {"price": {"USD": "0.000004", "CNY": "1"}},
        ],
    }
    world = a_world(Catalog.model_validate(body))
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    text = told(world, world.invoice("2026-11"), 2)
    assert "from 0 to 600,000: 600,000 × 0.00001 = 6" in text
    assert "beyond 600,000: 150,000 × 0.000004 = 0.6" in text


def test_a_note_for_late_usage_is_explained_alike() -> None:
    world = a_world(with_policy(corrected_by="note"))
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    _, note = world.ledger.invoices("2026-11")
    assert "difference: 250,000 tokens, 2.00" in told(world, note, 1)
    [found] = evidence(world, note)
    assert (found.of.number, found.agrees) == (1, True)


def test_each_plan_of_the_month_has_the_events_of_its_time() -> None:
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription("pro 09-01, enterprise 10-11")]))
    world.close("2026-10")
    world.send(("acme", "10-05", 2_000_000), ("acme", "10-20", 3_000_000))
    world.close("2026-11")
    found = evidence(world, world.invoice("2026-11"))
    micro = {each.of.line.plan: each.found_micro for each in found}
    assert micro == {"pro": units(2_000_000), "enterprise": units(3_000_000)}
    assert all(each.agrees for each in found)


def test_events_that_are_gone_are_a_difference() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    world.events.pop()
    [found] = evidence(world, world.invoice("2026-11"))
    assert not found.agrees


def test_what_was_planned_anew_is_not_said_to_be_the_sum_of_late_events() -> None:
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription("free 09-01, pro 10-16")]))
    world.send(("acme", "10-05", 60_000), ("acme", "10-20", 2_700_000))
    world.close("2026-10")
    world.now_ms = at("11-20")
    world.ledger.replan(a_subscription("pro 09-01"), at("09-01"), at("11-20"))
    world.close("2026-11")
    invoice = world.invoice("2026-11")
    found = evidence(world, invoice)
    assert found
    assert all(each.agrees for each in found)
    assert not any(each.of.is_added_up for each in found)
    place = next(n for n, it in enumerate(invoice.lines, 1) if it.kind == "correction")
    assert "owed together: " in told(world, invoice, place)


def test_what_no_event_makes_says_what_it_follows_from() -> None:
    body = llm_tokens().model_dump(mode="json")
    body["taxes"] = [{"name": "VAT", "country": "DE", "rate": "10%"}]
    world = World(
        FakeLedger(
            {1: Catalog.model_validate_json(json.dumps(body))}, [a_subscription("pro 09-01")]
        )
    )
    world.ledger.has["buyers"] = [("acme", "DE", None, None)]
    world.send(("acme", "10-10", 1_500_000))
    world.close("2026-10")
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    invoice = world.invoice("2026-11")
    [place] = [n for n, it in enumerate(invoice.lines, 1) if it.kind == "correction_tax"]
    with pytest.raises(NotFound, match="follows from the taxes of 2026-10 computed again"):
        events_of(invoice, place, world.ledger)
    assert "difference: 0.20" in told(world, invoice, place)
