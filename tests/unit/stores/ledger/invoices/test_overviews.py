"""A month at a glance: counted and summed by the database."""

from pipelines.invoices.draft_tables import drafts_of
from schemas.invoice import InvoiceState, MonthTotal
from stores.ledger import Ledger
from stores.ledger.connection import writing
from stores.ledger.invoices.numbering import after_numbering
from tests.unit.stores.ledger.builders import MONTH, NOW, SELLER, a_draft, finalized


def test_a_month_is_counted_by_state_and_knows_when_it_was_issued(ledger: Ledger) -> None:
    assert ledger.invoices_by_state(MONTH) == {}
    assert ledger.first_issued_ms(MONTH) is None
    finalized(ledger, a_draft("acme"), a_draft("bolt", 0), a_draft("core", held="a difference"))
    assert ledger.invoices_by_state(MONTH) == {"draft": 1, "finalized": 1, "paid": 1}
    assert ledger.first_issued_ms(MONTH) == NOW


def test_the_last_number_has_seven_digits_where_there_are_as_many(ledger: Ledger) -> None:
    assert ledger.number_range(MONTH) is None
    with writing(ledger._engine) as connection:
        after_numbering(connection, MONTH, SELLER, 999_997)
    finalized(ledger, a_draft("acme"), a_draft("bolt"), a_draft("core"))
    assert ledger.number_range(MONTH) == ("2026-10-999998", "2026-10-1000000")


def test_months_are_added_up_by_currency_and_state(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme", 5, -2), a_draft("bolt", 4), a_draft("core", 0))
    ledger.replace_drafts("2026-11", drafts_of([a_draft("acme", 6, month="2026-11")]))
    free, owed, draft = InvoiceState.PAID, InvoiceState.FINALIZED, InvoiceState.DRAFT
    october = [
        MonthTotal(MONTH, "USD", owed, 2, 7),
        MonthTotal(MONTH, "USD", free, 1, 0),
    ]
    assert ledger.month_totals("2026-09", MONTH) == october
    november = MonthTotal("2026-11", "USD", draft, 1, 6)
    assert ledger.month_totals(MONTH, "2026-11") == [*october, november]


def test_every_held_draft_is_named_with_its_reason(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme"), a_draft("core", held="a difference"))
    assert [(row.tenant, row.held) for row in ledger.held_drafts(MONTH)] == [
        ("core", "a difference")
    ]
