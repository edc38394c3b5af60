"""One attempt that pays or may still; states that move forward only."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.invoices.draft_tables import drafts_of
from schemas.errors import Conflict, NotFound
from schemas.invoice import Invoice
from schemas.payment import AttemptState, PaymentAttempt
from stores.ledger import Ledger
from stores.ledger.connection import writing
from stores.ledger.payments.payments import _is_forward
from stores.ledger.tables.payment_tables import payment_attempts
from tests.unit.stores.ledger.builders import (
    MONTH,
    NOW,
    a_draft,
    a_payment,
    a_subscription,
    finalized,
)


@pytest.fixture
def invoice(ledger: Ledger) -> Invoice:
    """A finalized invoice of 49.99 USD."""
    ledger.save_subscriptions([a_subscription("acme", card="4000000000000002")], NOW, "ada")
    ledger.mark_events_published([event.id for event in ledger.behind_events(10)])
    [one] = finalized(ledger, a_draft("acme", 4999))
    ledger.mark_events_published([event.id for event in ledger.behind_events(10)])
    return one


@pytest.fixture
def attempt(ledger: Ledger, invoice: Invoice) -> PaymentAttempt:
    opened = ledger.open_attempt(invoice, "sandbox", NOW)
    assert opened is not None
    return opened


def test_an_attempt_takes_amount_and_card_from_the_ledger(attempt: PaymentAttempt) -> None:
    assert attempt == PaymentAttempt(
        id="sub_acme:2026-10:1",
        invoice="sub_acme:2026-10",
        tenant="acme",
        provider="sandbox",
        amount_minor=4999,
        currency="USD",
        card="4000000000000002",
        key="sub_acme:2026-10:1",
    )


def test_an_open_attempt_is_the_only_one(
    ledger: Ledger, invoice: Invoice, attempt: PaymentAttempt
) -> None:
    assert ledger.open_attempt(invoice, "sandbox", NOW) is None
    assert ledger.collectable(MONTH) == []
    assert ledger.attempts(MONTH, [AttemptState.SUBMITTING]) == [attempt]


def test_threads_at_once_open_one_attempt(ledger: Ledger, invoice: Invoice) -> None:
    together = threading.Barrier(4)

    def open_one(_: int) -> PaymentAttempt | None:
        together.wait()
        return ledger.open_attempt(invoice, "sandbox", NOW)

    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(open_one, range(4)))
    assert sum(each is not None for each in opened) == 1


def test_the_database_itself_refuses_a_second_open_attempt(
    ledger: Ledger, attempt: PaymentAttempt
) -> None:
    second = {
        "id": "other",
        "key": "other",
        "invoice": attempt.invoice,
        "ordinal": 2,
        "tenant": "acme",
        "provider": "stripe",
        "amount_minor": 4999,
        "currency": "USD",
        "card": "",
        "state": "submitting",
        "created_ms": NOW,
        "changed_ms": NOW,
    }
    with pytest.raises(sa.exc.IntegrityError), writing(ledger._engine) as connection:
        connection.execute(sa.insert(payment_attempts).values(second))


@pytest.mark.parametrize(
    ("told", "invoice_state", "events"),
    [
        ("processing", "finalized", []),
        ("succeeded", "paid", ["payment.received"]),
        ("failed", "past_due", ["payment.failed"]),
        ("canceled", "finalized", []),
    ],
)
def test_what_an_outcome_makes_of_the_invoice(
    ledger: Ledger, attempt: PaymentAttempt, told: str, invoice_state: str, events: list[str]
) -> None:
    for _ in range(2):
        ledger.record_attempt(attempt.id, a_payment(attempt, told, failure="why"), NOW + 1)
        [stored] = ledger.attempts()
        assert (stored.state, stored.reference) == (told, f"pay_{attempt.id}")
        assert [invoice.state for invoice in ledger.invoices()] == [invoice_state]
        assert [event.type for event in ledger.behind_events(10)] == events


def test_a_payment_is_told_with_the_invoices_number(
    ledger: Ledger, attempt: PaymentAttempt
) -> None:
    ledger.record_attempt(attempt.id, a_payment(attempt, "failed", failure="card_declined"), NOW)
    [event] = ledger.behind_events(10)
    data = json.loads(event.data)
    assert (event.id, event.tenant) == ("payment.failed:sub_acme:2026-10:1", "acme")
    assert (data["number"], data["amount_minor"], data["failure"]) == (
        "2026-10-000001",
        4999,
        "card_declined",
    )


@pytest.mark.parametrize("late", ["submitting", "processing", "failed", "succeeded", "canceled"])
@pytest.mark.parametrize("final", ["succeeded", "failed", "canceled"])
def test_a_final_state_never_changes(
    ledger: Ledger, attempt: PaymentAttempt, final: str, late: str
) -> None:
    ledger.record_attempt(attempt.id, a_payment(attempt, final), NOW)
    before = (ledger.attempts(), ledger.invoices(), ledger.behind_events(10))
    ledger.record_attempt(attempt.id, a_payment(attempt, late), NOW + 1)
    assert (ledger.attempts(), ledger.invoices(), ledger.behind_events(10)) == before


@given(told=st.lists(st.sampled_from(list(AttemptState)), max_size=8))
def test_whatever_comes_in_whatever_order_the_first_final_state_stays(
    told: list[AttemptState],
) -> None:
    state = AttemptState.SUBMITTING
    for each in told:
        state = each if _is_forward(state, each) else state
    finals = [each for each in told if each.is_final]
    processing = AttemptState.PROCESSING in told
    unfinished = AttemptState.PROCESSING if processing else AttemptState.SUBMITTING
    assert state is (finals[0] if finals else unfinished)


def test_after_a_failure_the_next_attempt_has_a_new_key(
    ledger: Ledger, invoice: Invoice, attempt: PaymentAttempt
) -> None:
    ledger.record_attempt(attempt.id, a_payment(attempt, "failed"), NOW)
    [due] = ledger.collectable(MONTH)
    assert due.state == "past_due"
    second = ledger.open_attempt(due, "sandbox", NOW)
    assert second is not None
    assert second.key == "sub_acme:2026-10:2"
    ledger.record_attempt(second.id, a_payment(second, "succeeded"), NOW)
    assert [each.state for each in ledger.attempts(MONTH)] == ["failed", "succeeded"]
    assert [each.state for each in ledger.invoices()] == ["paid"]
    assert ledger.open_attempt(invoice, "sandbox", NOW) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount_minor": 5000}, "sandbox took 5000 USD for 4999 USD"),
        ({"currency": "CNY"}, "sandbox took 4999 CNY for 4999 USD"),
    ],
)
def test_another_amount_is_not_recorded(
    ledger: Ledger, attempt: PaymentAttempt, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(Conflict, match=message):
        ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded", **changes), NOW)
    assert ledger.attempts() == [attempt]


def test_another_payment_under_the_same_attempt_is_not_recorded(
    ledger: Ledger, attempt: PaymentAttempt
) -> None:
    ledger.record_attempt(attempt.id, a_payment(attempt, "processing"), NOW)
    with pytest.raises(Conflict, match="one attempt is one payment"):
        ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded", reference="pay_2"), NOW)


def test_an_attempt_is_found_by_its_reference(ledger: Ledger, attempt: PaymentAttempt) -> None:
    assert ledger.attempt_of("sandbox", f"pay_{attempt.id}") is None
    ledger.record_attempt(attempt.id, a_payment(attempt, "processing"), NOW)
    found = ledger.attempt_of("sandbox", f"pay_{attempt.id}")
    assert found is not None
    assert found.id == attempt.id
    assert ledger.attempt_of("stripe", f"pay_{attempt.id}") is None


def test_drafts_and_strangers_are_not_collected(ledger: Ledger) -> None:
    ledger.replace_drafts(MONTH, drafts_of([a_draft("acme")]))
    assert ledger.collectable(MONTH) == []
    with pytest.raises(Conflict, match="is a draft"):
        ledger.open_attempt(a_draft("acme"), "sandbox", NOW)
    with pytest.raises(NotFound, match="no invoice 'sub_ghost:2026-10'"):
        ledger.open_attempt(a_draft("ghost"), "sandbox", NOW)


def test_an_invoice_of_zero_needs_no_attempt(ledger: Ledger) -> None:
    [free] = finalized(ledger, a_draft("acme", 0))
    assert ledger.collectable(MONTH) == []
    assert ledger.open_attempt(free, "sandbox", NOW) is None


def test_an_unknown_attempt_is_said(ledger: Ledger, attempt: PaymentAttempt) -> None:
    with pytest.raises(NotFound, match="no payment attempt 'nothing'"):
        ledger.record_attempt("nothing", a_payment(attempt, "failed"), NOW)
