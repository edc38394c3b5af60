"""A void invoice owes nothing: what was corrected of its month is taken back, until it is made
again."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.invoice import InvoiceState, remade_id
from tests.fakes import FakeLedger
from tests.strategies import catalogs, subscriptions
from tests.unit.pipelines.corrections.test_late_usage import (
    MONTHS,
    World,
    a_world,
    billed,
    closed_on_time,
    sent,
    with_policy,
)

OCTOBER, NOVEMBER, DECEMBER = MONTHS[1:]


def void(ledger: FakeLedger, month: str) -> None:
    for invoice in ledger.invoices(month):
        if invoice.kind == "invoice":
            ledger.put(replace(invoice, state=InvoiceState.VOID))


@pytest.mark.parametrize(("late", "minor"), [(250_000, 200), (-250_000, -200)])
def test_what_was_corrected_is_taken_back_once(late: int, minor: int) -> None:
    world = a_world()
    world.send(("acme", "10-31", late))
    world.close(NOVEMBER)
    void(world.ledger, OCTOBER)
    world.send(("acme", "10-31", 1_000_000))  # a void invoice owes none of it
    world.close(DECEMBER)
    assert world.corrections(NOVEMBER) == [("correction", late, minor)]
    assert world.corrections(DECEMBER) == [("correction", -late, -minor)]
    world.close("2027-01")
    assert world.corrections("2027-01") == []


def test_a_note_is_taken_back_by_a_note() -> None:
    world = a_world(with_policy(corrected_by="note"))
    world.send(("acme", "10-31", 250_000))
    world.close(NOVEMBER)
    void(world.ledger, OCTOBER)
    world.close(DECEMBER)
    [note] = [it for it in world.ledger.invoices(DECEMBER) if it.kind == "note"]
    assert (note.total_minor, note.corrects) == (-200, "sub_acme:2026-10")


@pytest.mark.parametrize("remade_before", [NOVEMBER, DECEMBER, "2027-01"])
def test_made_again_it_owes_what_came_late(remade_before: str) -> None:
    """55.99 in the end, whenever it is made again with the 53.99 of its closing."""
    world = a_world()
    world.send(("acme", "10-31", 250_000))
    old = world.invoice(OCTOBER)
    void(world.ledger, OCTOBER)
    for month in (NOVEMBER, DECEMBER, "2027-01"):
        if month == remade_before:
            world.ledger.put(replace(old, id=remade_id(old.id)))
        world.close(month)
    assert billed(world.ledger) == {("acme", "USD"): 5599 + 3 * 4999}


@settings(max_examples=6)
@given(st.data())
def test_all_that_stands_is_the_months_that_are_not_void(data: st.DataObject) -> None:
    catalog = data.draw(catalogs(with_policies=True))
    everyone = {s.tenant: s for s in data.draw(st.lists(subscriptions(), min_size=1, max_size=3))}
    batches = data.draw(sent(sorted(everyone)))
    late, on_time = (FakeLedger({1: catalog}, list(everyone.values())) for _ in range(2))
    world, until = World(late, [event for batch in batches for event in batch]), 0
    for month, batch in zip(MONTHS, batches, strict=True):
        if month == DECEMBER:
            void(late, OCTOBER)
        until += len(batch)
        world.close(month, until)
    void(closed_on_time(on_time, batches), OCTOBER)
    assert billed(late) == billed(on_time)
