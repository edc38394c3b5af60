"""A credit note that is made void: what it took off an invoice of 100.00 is owed again."""

import pytest

from schemas.errors import Conflict
from schemas.invoice import Invoice, InvoiceState
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import (
    MONTH,
    NOW,
    a_draft,
    a_payment,
    a_subscription,
    finalized,
)
from tests.unit.stores.ledger.invoices.test_corrections import FIRST, SECOND, WORD, credit, paid


@pytest.fixture
def owed(ledger: Ledger) -> Invoice:
    """An invoice of 100.00 that is not paid."""
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    [invoice] = finalized(ledger, a_draft("acme", 10000))
    return invoice


def test_what_it_took_off_is_owed_again_and_credited_once(ledger: Ledger, owed: Invoice) -> None:
    """100.00 − 60.00 are 40.00; 100.00 again; 100.00 − 60.00, of which 40.00 may be credited."""
    credit(ledger, owed, 6000)
    assert ledger.invoice(FIRST).amount_due_minor == 4000
    assert ledger.void_invoice(SECOND, *WORD)
    assert not ledger.void_invoice(SECOND, *WORD)
    assert ledger.invoice(FIRST).amount_due_minor == 10000
    credit(ledger, owed, 6000, "2")
    assert ledger.invoice(FIRST).credited_minor == 6000
    with pytest.raises(Conflict, match=r"has USD 40\.00 left to credit, not USD 60\.00"):
        credit(ledger, owed, 6000, "3")


def test_an_invoice_that_notes_have_settled_is_collected_again(
    ledger: Ledger, owed: Invoice
) -> None:
    """100.00 − 60.00 − 40.00 is settled; without the second note 40.00 are owed."""
    credit(ledger, owed, 6000)
    note = credit(ledger, owed, 4000, "2")
    assert ledger.collectable(MONTH) == []
    ledger.void_invoice(note.number or "", *WORD)
    [again] = ledger.collectable(MONTH)
    assert (again.state, again.amount_due_minor) == (InvoiceState.FINALIZED, 4000)


def test_one_whose_card_had_failed_before_is_past_due_again(ledger: Ledger, owed: Invoice) -> None:
    attempt = ledger.open_attempt(owed, "sandbox", NOW)
    assert attempt is not None
    ledger.record_attempt(attempt.id, a_payment(attempt, "failed", failure="no money"), NOW)
    credit(ledger, owed, 10000)
    ledger.void_invoice(SECOND, *WORD)
    assert ledger.invoice(FIRST).state is InvoiceState.PAST_DUE


def test_then_the_invoice_may_be_void_too(ledger: Ledger, owed: Invoice) -> None:
    credit(ledger, owed, 6000)
    ledger.void_invoice(SECOND, *WORD)
    assert ledger.void_invoice(FIRST, *WORD)


def test_once_the_rest_is_paid_or_being_paid_it_stands(ledger: Ledger, owed: Invoice) -> None:
    """40.00 were asked for: another 60.00 would be owed of an invoice that is paid."""
    credit(ledger, owed, 6000)
    reduced = ledger.invoice(FIRST)
    attempt = ledger.open_attempt(reduced, "sandbox", NOW)
    assert attempt is not None
    with pytest.raises(Conflict, match="under way"):
        ledger.void_invoice(SECOND, *WORD)
    ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded"), NOW)
    with pytest.raises(Conflict, match=f"{FIRST} was paid without what .* charge an item instead"):
        ledger.void_invoice(SECOND, *WORD)
    assert ledger.invoice(SECOND).state is InvoiceState.PAID


def test_of_a_paid_invoice_its_prepaid_credit_is_withdrawn(ledger: Ledger, owed: Invoice) -> None:
    paid(ledger, owed)
    credit(ledger, owed, 6000)
    assert [it.left_minor for it in ledger.credit_balances(NOW)] == [6000]
    ledger.void_invoice(SECOND, *WORD)
    assert ledger.credit_balances(NOW) == []
    assert ledger.invoice(FIRST).credited_minor == 0
