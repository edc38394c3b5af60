"""A month computed again beside its ledger: nothing differs until somebody changes something."""

from dataclasses import replace

import pytest

from pipelines.close.verification import Difference, verify
from schemas.errors import NotFound
from tests.builders import at, units
from tests.fake_warehouse import Used
from tests.unit.pipelines.close.test_closing import MONTH, World
from tests.unit.pipelines.close.test_closing_adjusted import Adjusted


@pytest.fixture(params=[World, Adjusted])
def world(request: pytest.FixtureRequest) -> World:
    closed: World = request.param()
    closed.close()
    return closed


def differences(world: World) -> tuple[Difference, ...]:
    return verify(MONTH, world.ledger, world.warehouse).differences


def test_a_closed_month_comes_out_again_and_nothing_is_written(world: World) -> None:
    before, writes = world.ledger.contents(), list(world.ledger.writes)
    found = verify(MONTH, world.ledger, world.warehouse)
    assert found.differences == ()
    assert (found.usage, found.invoices) == (8, 3)
    assert found.lines == sum(len(it.lines) for it in world.ledger.invoices(MONTH))
    assert world.ledger.contents() == before
    assert world.ledger.writes == writes


def test_credits_are_used_again_in_the_order_in_which_they_were() -> None:
    world = Adjusted()
    since = at("10-01"), None
    world.ledger.has["credits"] = [
        ("design", "a", "USD", 1000, *since, 50, 1000),
        ("design", "b", "USD", 300, *since, 1, 300),
    ]
    world.close()
    [invoice] = world.ledger.invoices(MONTH, tenant="design")
    assert [line.name for line in invoice.lines if line.kind == "credit_applied"] == ["b", "a"]
    assert differences(world) == ()


def test_usage_that_came_after_the_cut_changes_nothing(world: World) -> None:
    world.warehouse.events.append(Used("design", "tokens", at("10-10"), units(5), offset=99))
    assert differences(world) == ()


def test_usage_that_was_lost_since_is_told_with_the_lines_that_follow() -> None:
    world = World()
    world.close()
    world.warehouse.events = [e for e in world.warehouse.events if e.offset != 1]
    found = differences(world)
    assert [d.what for d in found if d.where == "usage"] == [
        "input_tokens in segment 2: quantity_micro",
        "input_tokens in segment 2: events",
        "tokens in segment 2: quantity_micro",
        "tokens in segment 2: events",
    ]
    lines = [(d.line, d.what) for d in found if d.line is not None]
    assert lines == [(5, "line"), (6, "line")]
    assert {d.tenant for d in found} == {"design"}


def test_a_changed_line_is_told_field_by_field(world: World) -> None:
    [invoice] = world.ledger.invoices(MONTH, tenant="upgrade")
    first, *rest = invoice.lines
    line = replace(first, amount_minor=first.amount_minor + 1)
    world.ledger.put(replace(invoice, lines=(line, *rest)))
    whose, total = ("upgrade", invoice.number or ""), invoice.total_minor
    assert differences(world) == (
        Difference(*whose, 1, "amount_minor", "5000", "4999"),
        Difference(*whose, None, "total", str(total + 1), str(total)),
    )


def test_an_invoice_that_is_not_due_is_told(world: World) -> None:
    [invoice] = world.ledger.invoices(MONTH, tenant="idle")
    world.ledger.put(replace(invoice, id="sub_gone:2026-10", tenant="gone", subscription="gone"))
    [found] = differences(world)
    assert (found.where, found.what, found.recomputed) == ("sub_gone:2026-10", "invoice", None)


def test_a_month_that_was_never_opened_is_not_found() -> None:
    world = World()
    with pytest.raises(NotFound, match="was not opened"):
        verify(MONTH, world.ledger, world.warehouse)
