"""Collection: one charge an invoice, whatever is killed, lost, repeated or late."""

from dataclasses import replace

import pytest

from payments.registry import Providers
from pipelines.collection import (
    Collected,
    await_outcomes,
    collect,
    payments_match,
    summarize,
)
from pipelines.payment_webhooks import handle_webhooks
from pipelines.settling import settle
from schemas.errors import (
    BillingError,
    Conflict,
    DependencyUnreachable,
    InvalidInput,
    NotFound,
)
from schemas.invoice import InvoiceState
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment
from tests.unit.payments.fakes import (
    MONTH,
    Killed,
    ProviderInMemory,
    a_clock,
    an_invoice,
)
from tests.unit.pipelines.collecting import Desk, a_desk


@pytest.fixture
def desk() -> Desk:
    return a_desk()


def test_each_finalized_invoice_is_charged_once_and_paid_by_its_webhook(desk: Desk) -> None:
    assert desk.collect() == 2
    assert summarize(desk.ledger, MONTH) == Collected(succeeded=0, failed=0, open=2)
    assert desk.deliver(*desk.provider.decide()) == 2
    assert desk.states() == {"acme": "paid", "bird": "paid"}


def test_a_second_run_charges_nothing(desk: Desk) -> None:
    desk.collect()
    desk.deliver(*desk.provider.decide())
    assert desk.collect() == 0
    assert summarize(desk.ledger, MONTH) == Collected(succeeded=2, failed=0, open=0)
    assert len(desk.provider.calls) == 2


def test_a_decline_is_asked_again_only_on_demand(desk: Desk) -> None:
    desk.provider.declines = {"bird": "card_declined"}
    desk.collect()
    desk.deliver(*desk.provider.decide())
    assert desk.states() == {"acme": "paid", "bird": "past_due"}
    assert desk.collect() == 0
    assert desk.collect(again=True) == 1
    assert len(set(desk.provider.calls)) == 3, "a new attempt has a new key"


@pytest.mark.parametrize("trouble", [Killed(), DependencyUnreachable("the answer was lost")])
def test_an_answer_that_is_lost_never_becomes_a_second_charge(
    desk: Desk, trouble: BaseException
) -> None:
    desk.provider.trouble = trouble
    if isinstance(trouble, Killed):
        with pytest.raises(Killed):
            desk.collect()
    else:
        desk.collect()
        assert "no answer" in desk.said[0]
    desk.collect()
    assert len(desk.provider.payments) == 2
    assert desk.ledger.attempts(None, (AttemptState.SUBMITTING,)) == []


def test_an_attempt_that_never_reached_the_provider_is_charged_with_its_key(desk: Desk) -> None:
    opened = desk.ledger.open_attempt(an_invoice("acme"), "sandbox", 0)
    assert opened is not None
    assert desk.settle() == []
    assert desk.ledger.rows[opened.id].state is AttemptState.SUBMITTING, "settle never charges"
    desk.collect()
    assert desk.provider.calls[0] == opened.key


@pytest.mark.parametrize("is_down", [False, True])
def test_what_was_left_with_another_provider_is_continued_by_that_one_and_stops_nobody(
    desk: Desk, is_down: bool
) -> None:
    crows = [an_invoice(f"crow-{n}") for n in range(4)]
    desk.ledger.add(*crows)
    other = ProviderInMemory("stripe", is_down=is_down)
    for crow in crows:
        desk.ledger.open_attempt(crow, "stripe", 0)
    run = (MONTH, desk.ledger, desk.provider, a_clock, desk.said.append)
    assert collect(*run, others=[other]) == (2 if is_down else 6)
    assert len(desk.provider.payments) == 2
    assert len(other.payments) == (0 if is_down else 4)
    assert len(desk.said) == (5 if is_down else 0)


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_provider_that_is_down_stops_the_run_after_three_calls_and_those_under_way(
    desk: Desk, at_once: int
) -> None:
    desk.ledger.add(*(an_invoice(f"tenant-{n:02}") for n in range(18)))
    desk.provider.is_down = True
    with pytest.raises(DependencyUnreachable):
        desk.collect(at_once=at_once)
    assert len(desk.said) == len(desk.ledger.rows) == 3 + at_once
    desk.provider.is_down = False
    assert desk.collect(at_once=at_once) == 20


def test_an_invoice_that_is_voided_meanwhile_is_reported_and_the_others_are_charged(
    desk: Desk,
) -> None:
    desk.ledger.add(an_invoice("crow"))
    charge = desk.provider.charge

    def charge_while_bird_is_voided(attempt: PaymentAttempt) -> ProviderPayment:
        bird = desk.ledger.invoices["bird:2026-10"]
        desk.ledger.add(replace(bird, state=InvoiceState.VOID))
        return charge(attempt)

    desk.provider.charge = charge_while_bird_is_voided  # type: ignore[method-assign]
    assert desk.collect() == 2
    assert desk.said == ["bird:2026-10: invoice bird:2026-10 is void; nothing of it is collected"]
    assert [attempt.tenant for attempt in desk.ledger.attempts()] == ["acme", "crow"]


@pytest.mark.parametrize("kind", [InvalidInput, Conflict, NotFound])
def test_what_is_wrong_with_one_attempt_is_said_of_that_one_and_the_others_go_on(
    desk: Desk, kind: type[BillingError]
) -> None:
    desk.provider.faults = {"acme": kind("acme is not to be had")}
    assert desk.collect() == 1
    assert desk.said == ["acme:2026-10:1: acme is not to be had"]
    desk.provider.decide()
    assert desk.settle() == ["acme is not to be had"]
    assert desk.states() == {"acme": "finalized", "bird": "paid"}


def test_lost_webhooks_are_made_up_for_by_asking(desk: Desk) -> None:
    desk.collect()
    desk.provider.decide()
    assert desk.settle() == []
    assert desk.states() == {"acme": "paid", "bird": "paid"}


def test_another_amount_than_asked_is_never_recorded(desk: Desk) -> None:
    desk.collect()
    for key, payment in desk.provider.payments.items():
        desk.provider.payments[key] = replace(payment, amount_minor=1)
    assert "took 1 for 2736" in desk.settle()[0]
    assert desk.ledger.invoices["acme:2026-10"].state is InvoiceState.FINALIZED


def test_a_provider_that_is_no_longer_configured_is_named(desk: Desk) -> None:
    desk.collect()
    desk.ledger.receive_webhook(desk.provider.decide()[0], 0)
    unanswered = settle(desk.ledger, Providers({}), a_clock)
    assert unanswered[0].reason.endswith("'sandbox' is not configured; configured: none")
    assert handle_webhooks(desk.ledger, Providers({}), a_clock, desk.said.append) == 1


def test_waiting_ends_when_all_is_decided_or_the_rounds_are_over(desk: Desk) -> None:
    desk.collect()
    pauses: list[int] = []
    assert await_outcomes(desk.ledger, MONTH, lambda: pauses.append(1), rounds=3) == 2
    assert len(pauses) == 3

    def webhooks_arrive() -> None:
        desk.deliver(*desk.provider.decide())

    assert await_outcomes(desk.ledger, MONTH, webhooks_arrive, rounds=3) == 0
    assert summarize(desk.ledger, MONTH) == Collected(2, 0, 0)


def test_a_refused_charge_is_no_finding_and_a_lost_one_is(desk: Desk) -> None:
    desk.collect()
    refused = ProviderPayment("refused:acme:2026-10:1", AttemptState.FAILED, 2736, "USD", "no card")
    desk.ledger.record_attempt("acme:2026-10:1", refused, 0)
    nothing = dict.fromkeys(desk.ledger.rows)
    findings = payments_match(desk.ledger.invoices.values(), desk.ledger.attempts(), nothing)
    assert findings == ["bird:2026-10:1: sandbox has never heard of it"]
