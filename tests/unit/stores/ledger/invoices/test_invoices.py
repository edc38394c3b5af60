"""Drafts: replaced as a whole, held, and never touched once they are final."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
import sqlalchemy as sa

from pipelines.invoices.draft_tables import drafts_of
from schemas.errors import BillingError, Conflict, InvalidInput, NotFound
from schemas.invoice import Invoice, InvoiceState
from stores.ledger import Ledger
from tests.invoice_tables import documents_of, heads_of, lines_of
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    SELLER,
    a_closing,
    a_draft,
    finalized,
    prepare_month,
    reconciled,
)


def test_drafts_are_read_as_they_were_written(ledger: Ledger) -> None:
    drafts = [a_draft("acme", 4999, 1210, -30), a_draft("bolt", 0)]
    for _ in range(2):
        assert ledger.replace_drafts(MONTH, drafts_of(reversed(drafts))) == 0
        assert ledger.invoices(MONTH) == drafts


def test_in_bulk_they_are_read_as_one_by_one(ledger: Ledger) -> None:
    drafts = [a_draft("acme", 4999, 1210, -30), a_draft("bolt", 0)]
    ledger.replace_drafts(MONTH, drafts_of(drafts, at_once=1))
    assert pa.table(ledger.invoice_heads(MONTH)).equals(heads_of(drafts))
    assert pa.table(ledger.invoice_lines(MONTH)).equals(lines_of(drafts))
    assert pa.table(ledger.invoice_documents(MONTH)).equals(documents_of(drafts))


def test_of_a_range_of_tenants_only_theirs_are_read(ledger: Ledger) -> None:
    drafts = [a_draft(tenant, cents) for tenant, cents in (("acme", 1), ("bolt", 2), ("core", 3))]
    ledger.replace_drafts(MONTH, drafts_of(drafts))
    for range_, own in (
        ((None, None), drafts),
        ((None, "bolt"), drafts[:1]),
        (("bolt", "core"), drafts[1:2]),
        (("b", None), drafts[1:]),
        (("bolt0", "core"), []),
    ):
        lines = pa.table(ledger.invoice_lines(MONTH, range_))
        documents = pa.table(ledger.invoice_documents(MONTH, range_))
        assert lines.equals(lines_of(own))
        assert documents.equals(documents_of(own))


def test_a_part_whose_lines_are_of_no_draft_is_refused(ledger: Ledger) -> None:
    [(drafts, _)], [(_, lines)] = drafts_of([a_draft("acme")]), drafts_of([a_draft("bolt")])
    with pytest.raises(InvalidInput, match="1 lines are of no draft, one of them of sub_bolt"):
        ledger.replace_drafts(MONTH, [(drafts, lines)])


def test_a_total_that_its_lines_do_not_make_is_told_and_not_passed_on(
    ledger: Ledger, url: str
) -> None:
    ledger.replace_drafts(MONTH, drafts_of([a_draft("acme", 4999)]))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE invoices SET total_minor = total_minor + 1"))
    engine.dispose()
    with pytest.raises(BillingError, match=r"add up to 4999, not 5000; .* restore it"):
        ledger.invoices(MONTH)


def test_an_unchanged_draft_and_a_changed_one_and_a_surplus_one(ledger: Ledger) -> None:
    ledger.replace_drafts(MONTH, drafts_of([a_draft("acme"), a_draft("bolt"), a_draft("core")]))
    wanted = [a_draft("acme"), a_draft("bolt", 1, 2, 3)]
    ledger.replace_drafts(MONTH, drafts_of(wanted))
    assert ledger.invoices(MONTH) == wanted


def test_final_invoices_are_left_alone_and_counted(ledger: Ledger) -> None:
    [final] = finalized(ledger, a_draft("acme", 4999))
    assert ledger.replace_drafts(MONTH, drafts_of([a_draft("acme", 1), a_draft("bolt", 2)])) == 1
    assert ledger.invoices(MONTH) == [final, a_draft("bolt", 2)]


def test_a_run_cut_off_blocks_finalizing_until_the_next_one(ledger: Ledger) -> None:
    def cut_off() -> Iterator[Invoice]:
        yield a_draft("acme")
        raise KeyboardInterrupt

    prepare_month(ledger, [a_draft("acme")])
    with pytest.raises(KeyboardInterrupt):
        ledger.replace_drafts(MONTH, drafts_of(cut_off()))
    with pytest.raises(Conflict, match="drafts of 2026-10 are not all written; run"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    ledger.replace_drafts(MONTH, drafts_of([a_draft("acme")]))
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1


def test_a_run_overtaken_by_another_says_so(ledger: Ledger) -> None:
    def overtaken() -> Iterator[Invoice]:
        ledger.replace_drafts(MONTH, drafts_of([a_draft("bolt")]))
        yield a_draft("acme")

    with pytest.raises(Conflict, match="the drafts of 2026-10 were begun anew meanwhile"):
        ledger.replace_drafts(MONTH, drafts_of(overtaken()))
    assert ledger.invoices(MONTH) == [a_draft("bolt")]


def test_drafts_are_of_their_month(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="sub_acme:2026-11 is not a draft of 2026-10"):
        ledger.replace_drafts(MONTH, drafts_of([a_draft("acme", month="2026-11")]))


def test_holding_sets_and_clears(ledger: Ledger) -> None:
    ledger.replace_drafts(MONTH, drafts_of([a_draft("acme"), a_draft("bolt", held="old reason")]))
    ledger.hold(MONTH, {"acme": "counter differs by 3 tokens"})
    held = {invoice.tenant: invoice.held for invoice in ledger.invoices(MONTH)}
    assert held == {"acme": "counter differs by 3 tokens", "bolt": None}
    ledger.hold(MONTH, {})
    assert [invoice.held for invoice in ledger.invoices(MONTH)] == [None, None]


def test_invoices_are_found_by_month_state_and_tenant(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme", 5), a_draft("bolt", 0))
    ledger.replace_drafts("2026-11", drafts_of([a_draft("acme", 6, month="2026-11")]))

    def found(**wanted: object) -> list[str]:
        return [invoice.id for invoice in ledger.invoices(**wanted)]  # type: ignore[arg-type]

    assert found() == ["sub_acme:2026-10", "sub_bolt:2026-10", "sub_acme:2026-11"]
    assert found(tenant="acme") == ["sub_acme:2026-10", "sub_acme:2026-11"]
    assert found(month=MONTH, states=[InvoiceState.PAID]) == ["sub_bolt:2026-10"]
    assert found(states=[InvoiceState.DRAFT]) == ["sub_acme:2026-11"]


def test_an_invoice_is_found_by_number_and_a_draft_by_id(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    ledger.record_reconciliation(MONTH, reconciled(["acme"]))
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert ledger.invoice_numbers() == ["2026-10-000001", "sub_bolt:2026-10"]
    assert ledger.invoice("2026-10-000001").tenant == "acme"
    assert ledger.invoice("sub_bolt:2026-10").tenant == "bolt"
    with pytest.raises(NotFound, match="there is no invoice '2026-10-000009'"):
        ledger.invoice("2026-10-000009")


def test_a_number_of_two_sellers_is_ambiguous(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    ledger.hold_back(MONTH, "bolt", "eve", "wait")
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    ledger.override(MONTH, "bolt", "eve", "go")
    ledger.finalize(MONTH, "Another Ltd", NOW, DUE)
    with pytest.raises(InvalidInput, match="use an id: sub_acme:2026-10, sub_bolt:2026-10"):
        ledger.invoice("2026-10-000001")


def test_a_final_invoice_handed_in_as_a_draft_is_refused(ledger: Ledger) -> None:
    final = replace(a_draft("acme"), state=InvoiceState.PAID, number="2026-10-000001")
    with pytest.raises(InvalidInput, match="is not a draft"):
        ledger.replace_drafts(MONTH, drafts_of([final]))
    assert a_closing().month == MONTH
