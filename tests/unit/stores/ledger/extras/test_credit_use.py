"""A credit pays once: not when it was withdrawn, and not beside a held draft that counts on it."""

import pytest

from schemas.errors import Conflict
from stores.ledger import Ledger
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
