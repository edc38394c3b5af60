"""A month at a glance: counted and summed by the database."""

from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import MONTH, NOW, a_draft, finalized


def test_a_month_is_counted_by_state_and_knows_when_it_was_issued(ledger: Ledger) -> None:
    assert ledger.invoices_by_state(MONTH) == {}
    assert ledger.first_issued_ms(MONTH) is None
    finalized(ledger, a_draft("acme"), a_draft("bolt", 0), a_draft("core", held="a difference"))
    assert ledger.invoices_by_state(MONTH) == {"draft": 1, "finalized": 1, "paid": 1}
    assert ledger.first_issued_ms(MONTH) == NOW


def test_every_held_draft_is_named_with_its_reason(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme"), a_draft("core", held="a difference"))
    assert [(row.tenant, row.held) for row in ledger.held_drafts(MONTH)] == [
        ("core", "a difference")
    ]
