"""After finalizing: void, made again, credited; numbers stay gap-free and nothing is edited."""

import json
from dataclasses import replace

import pytest

from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.extras import CreditGrant
from schemas.invoice import Invoice, InvoiceLine, InvoiceState, late_note_id, remade_id
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    PERIOD,
    SELLER,
    a_draft,
    a_payment,
    a_subscription,
    finalized,
    prepare_month,
)

FIRST, SECOND = f"{MONTH}-000001", f"{MONTH}-000002"
NEXT_MONTH = "2026-11"
LATER = (NOW + 1, DUE + 1)
WORD = ("billing", "wrong address")


def a_note(corrects: Invoice, amount_minor: int, key: str = "1") -> Invoice:
    line = InvoiceLine("credited", "pro", PERIOD, -amount_minor)
    note = a_draft(corrects.tenant, 0)
    own = {"kind": "note", "corrects": corrects.id, "lines": (line,)}
    return replace(note, id=f"{corrects.id}:credit:{key}", **own)  # type: ignore[arg-type]


def credit(ledger: Ledger, invoice: Invoice, amount_minor: int, key: str = "1") -> Invoice:
    note = a_note(invoice, amount_minor, key)
    return ledger.issue_credit_note(note, *WORD, SELLER, LATER)[0]


def paid(ledger: Ledger, invoice: Invoice) -> Invoice:
    attempt = ledger.open_attempt(invoice, "sandbox", NOW)
    assert attempt is not None
    ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded"), NOW)
    return ledger.invoice(invoice.id)


@pytest.fixture
def acme(ledger: Ledger) -> Invoice:
    """An invoice of 49.99 that is not paid."""
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    [invoice] = finalized(ledger, a_draft("acme", 4999))
    return invoice


def test_a_void_invoice_keeps_its_number_and_lines_and_is_not_collected(
    ledger: Ledger, acme: Invoice
) -> None:
    assert ledger.void_invoice(FIRST, *WORD)
    assert not ledger.void_invoice(FIRST, *WORD)
    assert ledger.invoice(FIRST) == replace(acme, state=InvoiceState.VOID)
    assert ledger.collectable(MONTH) == []
    with pytest.raises(Conflict, match="void; nothing of it is collected"):
        ledger.open_attempt(acme, "sandbox", NOW)
    assert ledger.invoices_of(["acme"]) == []


def test_it_is_told_once_with_who_and_why(ledger: Ledger, acme: Invoice) -> None:
    ledger.void_invoice(FIRST, *WORD)
    ledger.void_invoice(FIRST, *WORD)
    told = [event.type for event in ledger.behind_events(10)]
    assert told == ["subscription.changed", "invoice.finalized", "invoice.voided"]
    [entry] = [each for each in ledger.audit_log("acme") if each["action"] == "invoice.voided"]
    assert (entry["who"], entry["at_ms"]) == ("billing", NOW)
    assert json.loads(entry["detail"])["why"] == "wrong address"


def test_what_takes_its_place_has_the_next_number(ledger: Ledger, acme: Invoice) -> None:
    ledger.void_invoice(FIRST, *WORD)
    remade = replace(a_draft("acme", 3000), id=remade_id(acme.id))
    for _ in range(2):
        made = ledger.replace_void(FIRST, remade, "billing", SELLER, LATER)
        assert (made.number, made.state, made.total_minor) == (SECOND, "finalized", 3000)
    assert [each.number for each in ledger.collectable(MONTH)] == [SECOND]
    assert len(ledger.invoices(MONTH)) == 2
    assert ledger.finalize(MONTH, SELLER, NOW + 2, DUE) == 0


def test_only_what_is_void_is_made_again(ledger: Ledger, acme: Invoice) -> None:
    remade = replace(a_draft("acme", 3000), id=remade_id(acme.id))
    with pytest.raises(Conflict, match="only a void invoice"):
        ledger.replace_void(FIRST, remade, "billing", SELLER, LATER)


def test_what_is_paid_is_credited_and_not_void(ledger: Ledger, acme: Invoice) -> None:
    paid(ledger, acme)
    with pytest.raises(Conflict, match="is paid; credit it"):
        ledger.void_invoice(FIRST, *WORD)
    note = credit(ledger, acme, 1000)
    assert (note.number, note.total_minor, note.state) == (SECOND, -1000, "paid")
    [balance] = ledger.credit_balances(NOW, "acme")
    assert (balance.grant.key, balance.left_minor) == (f"invoice:{SECOND}", 1000)


def test_what_is_not_paid_is_owed_less(ledger: Ledger, acme: Invoice) -> None:
    credit(ledger, acme, 1000)
    [owed] = ledger.collectable(MONTH)
    assert (owed.total_minor, owed.amount_due_minor) == (4999, 3999)
    attempt = ledger.open_attempt(owed, "sandbox", NOW)
    assert attempt is not None
    assert attempt.amount_minor == 3999
    assert ledger.credit_balances(NOW, "acme") == []


def test_credited_whole_it_is_settled(ledger: Ledger, acme: Invoice) -> None:
    credit(ledger, acme, 4999)
    assert ledger.invoice(FIRST).state is InvoiceState.PAID
    assert ledger.collectable(MONTH) == []


def test_no_more_is_credited_than_there_is(ledger: Ledger, acme: Invoice) -> None:
    credit(ledger, acme, 4000)
    with pytest.raises(Conflict, match=r"has USD 9\.99 left to credit, not USD 10\.00"):
        credit(ledger, acme, 1000, "2")


def test_a_credit_is_more_than_nothing(ledger: Ledger, acme: Invoice) -> None:
    for minor in (0, -5):
        with pytest.raises(InvalidInput, match="credits nothing"):
            credit(ledger, acme, minor)


def test_a_note_of_the_same_key_is_issued_once(ledger: Ledger, acme: Invoice) -> None:
    assert credit(ledger, acme, 1000) == credit(ledger, acme, 1000)
    assert ledger.invoice(FIRST).credited_minor == 1000


def test_while_a_payment_is_under_way_nothing_is_void_or_credited(
    ledger: Ledger, acme: Invoice
) -> None:
    ledger.open_attempt(acme, "sandbox", NOW)
    with pytest.raises(Conflict, match="under way"):
        ledger.void_invoice(FIRST, *WORD)
    with pytest.raises(Conflict, match="under way"):
        credit(ledger, acme, 1)


def test_an_invoice_with_credit_notes_is_not_void(ledger: Ledger, acme: Invoice) -> None:
    credit(ledger, acme, 1)
    with pytest.raises(Conflict, match="has credit notes"):
        ledger.void_invoice(FIRST, *WORD)


@pytest.mark.parametrize("tenant", ["acme", "a:credit:1", "a%"])
def test_notes_for_late_usage_are_no_credits_by_hand(ledger: Ledger, tenant: str) -> None:
    ledger.save_subscriptions([a_subscription(tenant)], NOW, "ada")
    [invoice] = finalized(ledger, a_draft(tenant, 4999))
    name = late_note_id(invoice.id, NEXT_MONTH)
    late = replace(a_note(invoice, 1000), id=name, month=NEXT_MONTH)
    prepare_month(ledger, [late], NEXT_MONTH)
    ledger.finalize(NEXT_MONTH, SELLER, NOW, DUE)
    credit(ledger, invoice, 4999)
    assert ledger.invoice(FIRST).state is InvoiceState.PAID


def test_prepaid_credits_are_given_back_and_used_again(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    ledger.grant_credit(CreditGrant("acme", "gift", "USD", 3000, 0), "billing")
    used = InvoiceLine("credit_applied", "pro", PERIOD, -3000, name="gift", base_minor=3000)
    draft = a_draft("acme", 4999)
    [invoice] = finalized(ledger, replace(draft, lines=(*draft.lines, used)))
    assert ledger.credit_balances(NOW)[0].left_minor == 0
    ledger.void_invoice(FIRST, *WORD)
    assert ledger.credit_balances(NOW)[0].left_minor == 3000
    remade = replace(invoice, id=remade_id(invoice.id), state=InvoiceState.DRAFT)
    ledger.replace_void(FIRST, remade, "billing", SELLER, LATER)
    assert ledger.credit_balances(NOW)[0].left_minor == 0


def test_below_zero_it_is_granted_as_a_credit(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    [invoice] = finalized(ledger, a_draft("acme", 100, -350))
    assert invoice.state is InvoiceState.PAID
    [balance] = ledger.credit_balances(NOW)
    assert (balance.grant.key, balance.left_minor) == (f"invoice:{FIRST}", 250)
    ledger.void_invoice(FIRST, *WORD)
    assert ledger.credit_balances(NOW) == []


def test_what_is_not_there_is_said(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="there is no invoice"):
        ledger.void_invoice(FIRST, *WORD)


def test_closings_and_invoices_are_read_for_late_usage(ledger: Ledger, acme: Invoice) -> None:
    assert [each.month for each in ledger.opened_closings()] == [MONTH]
    assert ledger.invoices_of(["acme", "nobody"]) == [acme]
    assert [each.tenant for each in ledger.subscriptions(PERIOD, ["acme"])] == ["acme"]
    assert ledger.subscriptions(PERIOD, ["nobody"]) == []
