"""Refunds and disputes: each once, forward only, and what of them counts on the invoice."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Conflict, NotFound
from schemas.invoice import Invoice
from schemas.payment import PaymentAttempt
from schemas.reversal import Reversal, ReversalKind, ReversalState
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import MONTH, NOW, a_draft, a_payment, finalized

ATTEMPT = "sub_acme:2026-10:1"
REFUND, DISPUTE = ReversalKind.REFUND, ReversalKind.DISPUTE
PENDING, SETTLED, UNDONE = ReversalState
REFUNDED = Reversal(f"pay_{ATTEMPT}", "re_1", REFUND, SETTLED, 2000, "USD", NOW)
DISPUTED = replace(REFUNDED, reference="dp_1", kind=DISPUTE, state=PENDING, amount_minor=2999)


@pytest.fixture
def paid(ledger: Ledger) -> PaymentAttempt:
    """A paid invoice of 49.99 USD."""
    [invoice] = finalized(ledger, a_draft("acme", 4999))
    opened = ledger.open_attempt(invoice, "sandbox", NOW)
    assert opened is not None
    ledger.record_attempt(opened.id, a_payment(opened, "succeeded"), NOW)
    ledger.mark_mirrored([(i.id, version) for i, version in ledger.behind_mirror(10)])
    ledger.mark_events_published([event.id for event in ledger.behind_events(10)])
    return opened


def the_invoice(ledger: Ledger) -> Invoice:
    [invoice] = ledger.invoices(MONTH)
    return invoice


@pytest.mark.usefixtures("paid")
def test_what_went_back_stands_on_the_invoice_which_stays_paid_and_is_not_asked_for(
    ledger: Ledger,
) -> None:
    ledger.record_reversals(ATTEMPT, [REFUNDED, DISPUTED], NOW + 1)
    invoice = the_invoice(ledger)
    assert (invoice.state, invoice.reversed_minor) == ("paid", 4999)
    assert ledger.reversals(MONTH) == {ATTEMPT: (DISPUTED, REFUNDED)}
    assert ledger.reversals(invoice=invoice.id) == ledger.reversals()
    assert ledger.reversals("2026-11") == ledger.reversals(invoice="other") == {}
    assert ledger.collectable(MONTH) == []
    assert ledger.open_attempt(invoice, "sandbox", NOW) is None
    [(copied, _)] = ledger.behind_mirror(10)
    assert copied.reversed_minor == 4999


@pytest.mark.usefixtures("paid")
def test_seen_twice_it_is_recorded_and_told_once(ledger: Ledger) -> None:
    for late in range(3):
        ledger.record_reversals(ATTEMPT, [REFUNDED], NOW + late)
    assert the_invoice(ledger).reversed_minor == 2000
    [event] = ledger.behind_events(10)
    assert (event.id, event.type) == ("payment.reversal:sandbox:re_1:settled", "payment.reversal")
    data = json.loads(event.data)
    assert (data["number"], data["attempt"]) == ("2026-10-000001", ATTEMPT)
    assert (data["kind"], data["state"], data["amount_minor"]) == ("refund", "settled", 2000)
    assert data["reversed_minor"] == 2000
    [(_, version)] = ledger.behind_mirror(10)
    ledger.record_reversals(ATTEMPT, [REFUNDED], NOW + 9)
    assert [it for _, it in ledger.behind_mirror(10)] == [version]


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("told", [REFUNDED, DISPUTED])
def test_what_fails_or_is_won_later_counts_no_more(ledger: Ledger, told: Reversal) -> None:
    ledger.record_reversals(ATTEMPT, [told], NOW)
    ledger.record_reversals(ATTEMPT, [replace(told, state=UNDONE)], NOW)
    assert the_invoice(ledger).reversed_minor == 0
    assert [it.state for it in ledger.reversals()[ATTEMPT]] == [UNDONE]
    ledger.record_reversals(ATTEMPT, [told], NOW)
    assert the_invoice(ledger).reversed_minor == 0, "what is older is ignored"


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("order", list(permutations(ReversalState)))
def test_in_any_order_the_furthest_state_stays(
    ledger: Ledger, order: tuple[ReversalState, ...]
) -> None:
    for state in order:
        ledger.record_reversals(ATTEMPT, [replace(DISPUTED, state=state)], NOW)
    assert [it.state for it in ledger.reversals()[ATTEMPT]] == [UNDONE]


@pytest.mark.usefixtures("paid")
def test_told_by_threads_at_once_it_is_recorded_once(ledger: Ledger) -> None:
    together = threading.Barrier(4)

    def record(_: int) -> None:
        together.wait(10)
        ledger.record_reversals(ATTEMPT, [REFUNDED, DISPUTED], NOW)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(record, range(4)))
    assert the_invoice(ledger).reversed_minor == 4999
    assert len(ledger.behind_events(10)) == 2


@pytest.mark.usefixtures("paid")
def test_through_whom_something_was_paid_of_late(ledger: Ledger) -> None:
    assert (ledger.paid_through(NOW), ledger.paid_through(NOW + 1)) == (["sandbox"], [])


@given(told=st.lists(st.sampled_from(ReversalState), min_size=1))
def test_states_move_forward_only(told: list[ReversalState]) -> None:
    state = told[0]
    for each in told:
        state = each if each.is_after(state) else state
    assert state == max(told, key=list(ReversalState).index)


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"currency": "EUR"}, "refund re_1 of 2000 EUR, and the payment is in USD; look into it"),
        ({"amount_minor": 1, "state": UNDONE}, "refund re_1 of 1 USD was of 2000 before"),
        ({"payment": "pay_2"}, "refund re_1 of 2000 USD is of payment pay_2, not of pay_sub_acme"),
    ],
)
def test_what_contradicts_the_record_is_told_and_stops_nothing_else(
    ledger: Ledger, changes: dict[str, object], message: str
) -> None:
    if "amount_minor" in changes:
        ledger.record_reversals(ATTEMPT, [REFUNDED], NOW)
    before = ledger.reversals().get(ATTEMPT, ())
    odd = replace(REFUNDED, **changes)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match=message):
        ledger.record_reversals(ATTEMPT, [odd, DISPUTED], NOW)
    assert ledger.reversals() == {ATTEMPT: (DISPUTED, *before)}


def test_only_what_was_paid_goes_back(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no payment attempt"):
        ledger.record_reversals(ATTEMPT, [REFUNDED], NOW)
    [invoice] = finalized(ledger, a_draft("acme", 4999))
    opened = ledger.open_attempt(invoice, "sandbox", NOW)
    assert opened is not None
    ledger.record_attempt(opened.id, a_payment(opened, "failed"), NOW)
    with pytest.raises(Conflict, match="has not succeeded"):
        ledger.record_reversals(ATTEMPT, [REFUNDED], NOW)


@pytest.mark.usefixtures("paid")
def test_killed_before_it_is_told_nothing_of_it_is_there(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("stores.ledger.payments.reversals.announce", die)
        with pytest.raises(Killed):
            ledger.record_reversals(ATTEMPT, [REFUNDED], NOW)
    assert (ledger.reversals(), the_invoice(ledger).reversed_minor) == ({}, 0)
    ledger.record_reversals(ATTEMPT, [REFUNDED], NOW)
    assert the_invoice(ledger).reversed_minor == 2000
    with ledger._reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM payment_reversals")).scalar() == 1
