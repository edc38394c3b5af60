"""A month that corrected another one comes out again, whatever becomes of that other afterwards."""

from dataclasses import replace

from pipelines.close import closing
from pipelines.close.verification import Difference, verify
from tests.builders import a_subscription, llm_tokens
from tests.fakes import FakeLedger
from tests.unit.pipelines.corrections.test_late_usage import World, a_world
from tests.unit.pipelines.corrections.test_void_months import DECEMBER, NOVEMBER, OCTOBER, void


def differences(world: World, month: str) -> tuple[Difference, ...]:
    return verify(month, world.ledger, world.warehouse).differences


def corrected() -> World:
    """November has 2.00 for 250,000 tokens of October."""
    world = a_world()
    world.send(("acme", "10-31", 250_000))
    world.close(NOVEMBER)
    return world


def test_an_invoice_that_is_void_since_is_no_difference_in_what_corrected_it() -> None:
    world = corrected()
    void(world.ledger, OCTOBER)
    assert differences(world, NOVEMBER) == ()
    world.close(DECEMBER)
    assert differences(world, DECEMBER) == differences(world, NOVEMBER) == ()


def test_a_month_that_was_finalized_after_the_cut_is_none_either() -> None:
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription("pro 09-01")]))
    world.send(("acme", "10-10", 1_500_000))
    log = world.open(OCTOBER)
    closing.aggregate_usage(OCTOBER, world.ledger, world.warehouse)
    closing.rate_charges(OCTOBER, world.ledger)
    closing.prorate_fees(OCTOBER, world.ledger)
    closing.draft_invoices(OCTOBER, world.ledger)
    closing.reconcile(OCTOBER, world.ledger, world.warehouse, log, max_held=1)
    world.send(("acme", "10-31", 250_000))
    world.close(NOVEMBER)
    closing.finalize(OCTOBER, world.ledger, lambda: 0, seller="seller")
    assert world.corrections(NOVEMBER) == []
    assert differences(world, NOVEMBER) == ()
    world.close(DECEMBER)
    assert world.corrections(DECEMBER) == [("correction", 250_000, 200)]


def test_a_correction_that_is_not_the_recorded_one_is_told() -> None:
    world = corrected()
    invoice = world.invoice(NOVEMBER)
    *others, line = invoice.lines
    world.ledger.put(
        replace(invoice, lines=(*others, replace(line, amount_minor=line.amount_minor + 1)))
    )
    told = [(it.what, it.stored, it.recomputed) for it in differences(world, NOVEMBER)]
    assert told == [("amount_minor", "201", "200"), ("total", "5200", "5199")]
