"""A credit pays once: not when it was withdrawn, and not beside a held draft that counts on it."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.extras import CreditGrant
from schemas.invoice import Invoice, remade_id
from stores.ledger import Ledger
from stores.ledger.connection import writing
from stores.ledger.tables.extras_tables import credit_applications
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    SELLER,
    a_draft,
    a_subscription,
    finalized,
    prepare_month,
    reconciled,
)
from tests.unit.stores.ledger.extras.test_credits import NOVEMBER, left, paid_by

FIRST = f"{MONTH}-000001"
OWED = f"invoice:{FIRST}"
WORD = ("billing", "why")


@pytest.fixture(autouse=True)
def tenants(ledger: Ledger) -> None:
    found = [a_subscription("acme"), a_subscription("bolt")]
    ledger.save_subscriptions(found, NOW, "ada")


def draft(ledger: Ledger, *credits: tuple[str, int]) -> None:
    """November's drafts: 10.00 of acme less these credits, and bolt's."""
    acme = paid_by(a_draft("acme", 1000, month=NOVEMBER), *credits)
    prepare_month(ledger, [acme, a_draft("bolt", month=NOVEMBER)], NOVEMBER)


def finalize(ledger: Ledger, *held: str) -> int:
    """Finalize November's drafts but those of tenants who differ."""
    reasons = dict.fromkeys(held, "tokens: 5 too many")
    ledger.record_reconciliation(NOVEMBER, reconciled(["acme", "bolt"], reasons))
    ledger.hold(NOVEMBER, reasons)
    return ledger.finalize(NOVEMBER, SELLER, NOW + 1, DUE)


def release(ledger: Ledger, tenant: str) -> int:
    ledger.override(NOVEMBER, tenant, "eve", "counted by hand")
    return ledger.finalize(NOVEMBER, SELLER, NOW + 2, DUE)


def total(ledger: Ledger, month: str) -> int:
    [found] = ledger.invoices(month, tenant="acme")
    return found.total_minor


@pytest.fixture
def below_zero(ledger: Ledger) -> None:
    """October's invoice is 1.00 − 3.50: a credit of 2.50, on which November's draft counts."""
    finalized(ledger, a_draft("acme", 100, -350))
    draft(ledger, (OWED, 250))


@pytest.mark.usefixtures("below_zero")
def test_a_credit_that_was_withdrawn_pays_nothing(ledger: Ledger) -> None:
    """November is 10.00, and not 10.00 − 2.50, when what October owed is owed no more."""
    ledger.void_invoice(FIRST, *WORD)
    with pytest.raises(Conflict, match=rf"{OWED} of acme.*run `countinghouse close 2026-11` again"):
        finalize(ledger)
    assert left(ledger, NOVEMBER) == {}
    draft(ledger)
    assert finalize(ledger) == 2
    assert total(ledger, NOVEMBER) == 1000


@pytest.mark.usefixtures("below_zero")
def test_what_a_held_draft_of_a_closed_month_counts_on_is_not_withdrawn(ledger: Ledger) -> None:
    """That draft is not made again."""
    finalize(ledger, "acme")
    with pytest.raises(Conflict, match=f"{FIRST} is used, or a held draft counts on it"):
        ledger.void_invoice(FIRST, *WORD)
    assert release(ledger, "acme") == 1
    assert total(ledger, NOVEMBER) == 750


@pytest.mark.usefixtures("below_zero")
def test_what_was_used_is_withdrawn_only_when_it_was_given_back(ledger: Ledger) -> None:
    finalize(ledger)
    with pytest.raises(Conflict, match=f"{FIRST} is used"):
        ledger.void_invoice(FIRST, *WORD)
    ledger.void_invoice(f"sub_acme:{NOVEMBER}", *WORD)
    assert ledger.void_invoice(FIRST, *WORD)
    assert ledger.credit_balances(NOW) == []


@pytest.fixture
def october(ledger: Ledger) -> Invoice:
    """October is void and has given 30.00 back, on which November's draft of 10.00 counts."""
    ledger.grant_credit(CreditGrant("acme", "gift", "USD", 3000, 0), "billing")
    [invoice] = finalized(ledger, paid_by(a_draft("acme"), ("gift", 3000)))
    ledger.void_invoice(FIRST, *WORD)
    draft(ledger, ("gift", 1000))
    return replace(invoice, id=remade_id(invoice.id))


def test_an_earlier_month_leaves_what_a_held_draft_of_a_closed_one_counts_on(
    ledger: Ledger, october: Invoice
) -> None:
    """20.00 of the 30.00; made again with all of it, November's would lack 10.00."""
    finalize(ledger, "acme")
    assert left(ledger) == {"gift": 2000}
    with pytest.raises(Conflict, match=r"used by other invoices .*gift of acme"):
        ledger.replace_void(FIRST, october, "billing", SELLER, (NOW + 3, DUE))
    assert release(ledger, "acme") == 1


def test_a_month_whose_held_drafts_lack_their_credits_is_drafted_again_before_it_is_closed(
    ledger: Ledger, october: Invoice
) -> None:
    ledger.replace_void(FIRST, october, "billing", SELLER, (NOW + 3, DUE))
    with pytest.raises(Conflict, match=r"gift of acme.*run `countinghouse close 2026-11` again"):
        finalize(ledger, "acme")
    draft(ledger)
    assert finalize(ledger, "acme") == 1


def use_again(ledger: Ledger) -> None:
    """What earlier versions of this program let happen: October used what November counts on."""
    with writing(ledger._engine) as connection:
        connection.execute(sa.update(credit_applications).values(returned_ms=None))


@pytest.mark.usefixtures("october")
def test_a_held_draft_that_lacks_its_credits_keeps_nobody_else_back(ledger: Ledger) -> None:
    finalize(ledger, "acme", "bolt")
    use_again(ledger)
    with pytest.raises(Conflict, match=r"used by other .*\(gift of acme\); make one of .* void"):
        release(ledger, "acme")
    assert release(ledger, "bolt") == 1
    assert [it.tenant for it in ledger.invoices(NOVEMBER) if it.number] == ["bolt"]
    assert "hold.overridden" not in [row["action"] for row in ledger.audit_log("acme")]
