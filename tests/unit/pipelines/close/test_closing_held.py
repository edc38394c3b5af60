"""Who differs is held and the others go on; many who differ stop everyone."""

import pytest

from pipelines.checks.checks import charges_match_usage
from pipelines.close import closing, letting_go
from pipelines.invoices.books import Books
from schemas.catalog import Catalog
from schemas.closing import ClosingState
from schemas.errors import NotFound, ReconciliationFailed
from schemas.invoice import InvoiceState
from schemas.money import TOO_DEAR
from schemas.quantity import MOST_MICRO
from tests.builders import at, llm_tokens, units
from tests.fake_warehouse import Used
from tests.unit.pipelines.close.test_closing import MONTH, World, used


def test_a_tenant_whose_counter_differs_is_held_and_the_others_go_on() -> None:
    world = World(max_held=0.5)
    world.warehouse.events += used("upgrade", "10-21", 1, 4, counted=False)
    report = world.close()[-1]
    assert report.counts == {"finalized": 2, "held": 1}
    [held] = world.ledger.invoices(MONTH, [InvoiceState.DRAFT])
    assert held.tenant == "upgrade"
    assert held.held is not None
    assert "tokens: the counter says 6000000, the warehouse 6000001" in held.held
    assert held.number is None


def test_a_held_invoice_is_released_by_name_and_reason_with_the_next_number() -> None:
    world = World(max_held=0.5)
    world.warehouse.events += used("upgrade", "10-21", 1, 4, counted=False)
    world.close()
    word = {"seller": "seller", "who": "billing", "why": "checked by hand"}
    report = letting_go.release_held(MONTH, "upgrade", world.ledger, world.clock, **word)
    assert report.counts == {"finalized": 3, "held": 0}
    [invoice] = world.ledger.invoices(MONTH, tenant="upgrade")
    assert invoice.number == "2026-10-000003"
    assert world.ledger.overrides == {(MONTH, "upgrade"): ("billing", "checked by hand")}
    with pytest.raises(NotFound, match="has no draft"):
        letting_go.release_held(MONTH, "upgrade", world.ledger, world.clock, **word)


def test_who_was_let_go_for_one_difference_is_held_for_another() -> None:
    world = World(max_held=0.5)
    world.warehouse.events += used("upgrade", "10-21", 1, 4, counted=False)
    world.open()
    draft(world)
    world.ledger.override(MONTH, "upgrade", "billing", "checked by hand")
    world.warehouse.events += used("upgrade", "10-22", 1, 4, counted=False)
    assert world.close()[-1].counts == {"finalized": 2, "held": 1}


def draft(world: World) -> None:
    """Up to drafts that were compared."""
    closing.aggregate_usage(MONTH, world.ledger, world.warehouse)
    closing.rate_charges(MONTH, world.ledger)
    closing.prorate_fees(MONTH, world.ledger)
    closing.draft_invoices(MONTH, world.ledger)
    closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=world.max_held)


def test_who_was_let_go_after_the_month_was_closed_is_finalized_by_closing_again() -> None:
    world = World(max_held=0.5)
    world.warehouse.events += used("upgrade", "10-21", 1, 4, counted=False)
    world.close()
    assert not world.close()[-1].written
    world.ledger.override(MONTH, "upgrade", "billing", "checked by hand")
    report = world.close()[-1]
    assert (report.written, report.counts) == (True, {"finalized": 3, "held": 0})


def test_more_than_max_held_stops_everyone() -> None:
    world = World(max_held=0.6)
    for tenant in ("design", "upgrade"):
        world.warehouse.events += used(tenant, "10-21", 1, 4, counted=False)
    with pytest.raises(ReconciliationFailed, match="2 of 3 invoices are held: design: "):
        world.close()
    with pytest.raises(ReconciliationFailed, match="not reconciled"):
        closing.finalize(MONTH, world.ledger, world.clock, seller="seller")
    assert world.ledger.closings[MONTH].state is ClosingState.OPEN


@pytest.mark.parametrize(("max_held", "is_stopped"), [(0.01, False), (0.3, False), (0, True)])
def test_one_alone_stops_nobody_unless_none_may_be_held(max_held: float, is_stopped: bool) -> None:
    world = World(max_held=max_held)
    world.warehouse.events += used("upgrade", "10-21", 1, 4, counted=False)
    if is_stopped:
        with pytest.raises(ReconciliationFailed, match="1 of 3 invoices are held: upgrade: "):
            world.close()
    else:
        assert world.close()[-1].counts == {"finalized": 2, "held": 1}


def test_a_negative_billed_quantity_holds_the_tenant() -> None:
    world = World(max_held=0.5)
    world.warehouse.events = used("design", "10-03", -5, 0)
    world.close()
    [held] = world.ledger.invoices(MONTH, [InvoiceState.DRAFT])
    assert held.held == "tokens: the billed quantity -5 is negative"


def test_more_than_can_be_said_in_each_of_two_plans_holds_the_tenant_alone() -> None:
    world = World(max_held=0.5)
    days = "10-05", "10-20"  # under pro, and under enterprise
    world.warehouse.events += [Used("upgrade", "tokens", at(d), MOST_MICRO, 0, 4) for d in days]
    assert world.close()[-1].counts == {"finalized": 2, "held": 1}
    [held] = world.ledger.invoices(MONTH, [InvoiceState.DRAFT])
    assert held.tenant == "upgrade"
    assert held.held == "tokens: more than 9223372036854.775807 units cannot be billed"


@pytest.mark.parametrize("price", ["100000", "9000000"])
def test_who_owes_more_than_a_line_says_is_held_alone(price: str) -> None:
    body = llm_tokens().model_dump(mode="json")
    card = body["plans"]["enterprise"]["meters"]["tokens"]
    card["overage"] = {"price": {"USD": price, "CNY": price}}
    world = World(max_held=0.5)
    world.ledger.sold = {1: Catalog.model_validate(body)}
    world.warehouse.events += [Used("upgrade", "tokens", at("10-20"), units(10**12), 0, 4)]
    assert world.close()[-1].counts == {"finalized": 2, "held": 1}
    [held] = world.ledger.invoices(MONTH, [InvoiceState.DRAFT])
    assert held.tenant == "upgrade"
    assert held.held == f"tokens: {TOO_DEAR}"
    assert charges_match_usage(Books(MONTH, world.ledger)) == []
