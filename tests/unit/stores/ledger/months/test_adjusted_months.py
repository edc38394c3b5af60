"""Months closed on a real ledger with credits: burnt once, conserved, drafted anew when need be."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.checks.month_ways import as_of_now, in_words
from pipelines.close import closing, opening
from pipelines.close.verification import verify
from pipelines.corrections.invoice_corrections import Word, credit, regenerate, void
from pipelines.explain.explanation import explain_invoice
from pipelines.invoices.billed_lines import billed_lines
from pipelines.invoices.books import Books
from pipelines.reports.focus import focus_table
from pipelines.reports.simulation import simulate
from schemas.errors import Conflict
from schemas.extras import CreditGrant, OneOffItem, Redemption
from schemas.invoice import Invoice
from schemas.tax import Buyer
from schemas.vector import Vector
from stores.ledger import Ledger, connect
from tests import bundles
from tests.builders import explained
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.unit.pipelines.adjustments.builders import a_catalog
from tests.unit.stores.ledger.builders import NOW, SELLER, a_subscription, at

OCTOBER, NOVEMBER = "2026-10", "2026-11"
HOUR_MS = 3_600_000
LATER = at("2026-12-02")
CATALOG = a_catalog(
    {"free": {"base_fee": {"USD": "49.99"}}},
    ["USD"],
    coupons={"WELCOME": {"percent": "20%", "lasts": "once"}},
    taxes=[{"name": "VAT", "country": "DE", "rate": "19%"}],
)
GRANT = CreditGrant("acme", "pay_1", "USD", 9000, at("2026-10-02"), at("2027-01-01"))


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Two tenants, one of them in Germany with a credit and a coupon for October."""
    opened = connect(url, clock=lambda: LATER)
    opened.apply_catalog(CATALOG.model_dump_json().encode(), NOW)
    opened.save_subscriptions([a_subscription("acme"), a_subscription("bolt")], NOW, "ada")
    opened.set_buyer("acme", Buyer("DE"), "ada")
    opened.grant_credit(GRANT, "ada")
    opened.redeem(Redemption("acme", "WELCOME", 1, at("2026-10-05"), at("2026-11-01")), "ada")
    yield opened
    opened.close()


WAREHOUSE = FakeWarehouse([Used("acme", "tokens", at("2026-10-20"), 10**6)], Vector({(1, 0): 5}))
LOG = FakeLog(Vector({(1, 0): 5}), Vector({(1, 0): 5}))


def draft(ledger: Ledger, month: str) -> None:
    opening.open_closing(
        month, ledger, LOG, WAREHOUSE, lambda: LATER, code_version="1", grace_ms=HOUR_MS
    )
    closing.aggregate_usage(month, ledger, WAREHOUSE)
    closing.rate_charges(month, ledger)
    closing.prorate_fees(month, ledger)
    closing.draft_invoices(month, ledger)
    closing.reconcile(month, ledger, WAREHOUSE, LOG, max_held=0)


def finalize(ledger: Ledger, month: str) -> None:
    closing.finalize(month, ledger, lambda: LATER, seller=SELLER)


def invoice(ledger: Ledger, month: str) -> Invoice:
    [found] = ledger.invoices(month, tenant="acme")
    return found


def test_credits_are_burnt_month_by_month_and_conserved(ledger: Ledger) -> None:
    for month in (OCTOBER, NOVEMBER):
        draft(ledger, month)
        finalize(ledger, month)
        finalize(ledger, month)
    october, november = invoice(ledger, OCTOBER), invoice(ledger, NOVEMBER)
    # 49.99 − 10.00, and 19 % of each line: 9.50 − 1.90
    assert (october.subtotal_minor, october.tax_minor, october.credits_minor) == (3999, 760, 4759)
    assert (october.state, november.credits_minor) == ("paid", 9000 - 4759)
    assert november.total_minor == 4999 + 950 - 4241
    [balance] = ledger.credit_balances(LATER)
    assert (balance.applied_minor, balance.left_minor) == (9000, 0)
    for month in (OCTOBER, NOVEMBER):
        assert "every line agrees" in explained(month, "acme", ledger)


def test_drafting_again_makes_the_same_documents(ledger: Ledger) -> None:
    documents = []
    for _ in range(2):
        draft(ledger, OCTOBER)
        documents.append([each.document for each in ledger.invoices(OCTOBER)])
    assert documents[0] == documents[1]
    [balance] = ledger.credit_balances(LATER)
    assert (balance.left_minor, balance.reserved_minor) == (9000, 4759)


def test_months_drafted_together_share_a_credit_by_the_earlier_first(ledger: Ledger) -> None:
    draft(ledger, OCTOBER)
    draft(ledger, NOVEMBER)
    assert invoice(ledger, NOVEMBER).credits_minor == 9000 - 4759
    finalize(ledger, NOVEMBER)
    finalize(ledger, OCTOBER)
    assert ledger.credit_balances(LATER)[0].left_minor == 0


def test_a_later_month_that_was_drafted_first_is_drafted_again(ledger: Ledger) -> None:
    draft(ledger, NOVEMBER)
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    with pytest.raises(Conflict, match="run `countinghouse close 2026-11` again"):
        finalize(ledger, NOVEMBER)
    draft(ledger, NOVEMBER)
    finalize(ledger, NOVEMBER)
    assert invoice(ledger, NOVEMBER).credits_minor == 9000 - 4759


def test_an_item_that_comes_after_the_drafts_is_on_the_next_ones(ledger: Ledger) -> None:
    draft(ledger, OCTOBER)
    ledger.add_item(OneOffItem("acme", "setup", OCTOBER, "USD", 1000, "Setup"), "ada")
    with pytest.raises(Conflict, match="run `countinghouse close 2026-10`"):
        finalize(ledger, OCTOBER)
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    lines = json.loads(invoice(ledger, OCTOBER).document)["lines"]
    assert [line["name"] for line in lines if line["kind"] == "item"] == ["Setup"]


def test_a_buyer_who_moves_later_leaves_a_closed_invoice_explained(ledger: Ledger) -> None:
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    ledger.set_buyer("acme", Buyer("FR"), "ada")
    assert "every line agrees" in explained(OCTOBER, "acme", ledger)
    draft(ledger, NOVEMBER)
    assert invoice(ledger, NOVEMBER).tax_minor == 0


def agrees(ledger: Ledger, month: str, folder: Path) -> bool:
    """Does the month come out again: from the warehouse, its bundle, today's price list?

    And is nothing lost, and what is billed what stands?
    """
    books = Books(month, ledger)
    bundles.write(books, folder)
    lost = [row for row in as_of_now(month, ledger, WAREHOUSE, LOG).rows if row.lost_micro]
    found = [*verify(month, ledger, WAREHOUSE).differences, *bundles.differences(folder)]
    simulated = simulate(month, CATALOG, ledger, {})
    billed = sum(billed_lines(books)["amount_minor"].to_pylist())
    return (
        not lost
        and not found
        and simulated.billed == simulated.drafted
        and billed == sum(each.total_minor for each in books.invoices)
    )


def test_a_month_still_agrees_when_its_invoices_are_void_made_again_and_credited(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Of October, 10.00 more than the gift; the buyer moves to where there is no tax."""
    ledger.add_item(OneOffItem("acme", "setup", OCTOBER, "USD", 9000, "Setup"), "ada")
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    number = invoice(ledger, OCTOBER).number or ""
    word = Word("ada", "a test", LATER)
    void(number, ledger, word)
    assert agrees(ledger, OCTOBER, tmp_path / "void")
    ledger.set_buyer("acme", Buyer("FR"), "ada")
    remade = regenerate(number, ledger, word, seller=SELLER)
    assert (remade.tax_minor, remade.credits_minor) == (0, 9000)
    assert agrees(ledger, OCTOBER, tmp_path / "made again")
    credit(remade.number or "", ledger, word, seller=SELLER, amount_minor=100, key="#2")
    assert agrees(ledger, OCTOBER, tmp_path / "credited")


def test_each_document_is_explained_by_itself(ledger: Ledger) -> None:
    ledger.add_item(OneOffItem("acme", "setup", OCTOBER, "USD", 9000, "Setup"), "ada")
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    old, word = invoice(ledger, OCTOBER), Word("ada", "a test", LATER)
    void(old.number or "", ledger, word)
    ledger.set_buyer("acme", Buyer("FR"), "ada")
    remade = regenerate(old.number or "", ledger, word, seller=SELLER)
    note, _ = credit(remade.number or "", ledger, word, seller=SELLER, amount_minor=100)
    told = [explain_invoice(ledger.invoice(it.id), ledger) for it in (old, remade, note)]
    assert [text.splitlines()[0] for text in told] == [
        "Invoice 2026-10-000001 of acme for 2026-10, in USD (void)",
        "Invoice 2026-10-000003 of acme for 2026-10, in USD (finalized)",
        f"Note 2026-10-000004 of acme for 2026-10, in USD ({note.state.value}), on 2026-10-000003",
    ]
    assert ["VAT" in text for text in told] == [True, False, False]
    assert all("every line agrees" in text for text in told[:2])
    assert told[2].splitlines()[1:] == [
        "credited          a test → −1.00",
        "total             −1.00",
    ]


def test_credit_notes_are_charges_below_zero_that_correct(ledger: Ledger) -> None:
    ledger.add_item(OneOffItem("acme", "setup", OCTOBER, "USD", 20000, "Setup"), "ada")
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    number, word = invoice(ledger, OCTOBER).number or "", Word("ada", "a test", LATER)
    credit(number, ledger, word, seller=SELLER, amount_minor=100)
    credit(number, ledger, word, seller=SELLER, line=1)
    every = ledger.invoices(OCTOBER)
    rows = focus_table(every, SELLER).to_pylist()
    assert sum(row["BilledCost"] for row in rows) * 100 == sum(it.total_minor for it in every)
    credited = [row for row in rows if row["x_LineKind"] == "credited"]
    assert len(credited) == 2
    for row in credited:
        assert (row["ChargeClass"], row["ChargeCategory"]) == ("Correction", "Adjustment")
        assert row["BilledCost"] == row["ContractedCost"] < 0
        assert row["PricingQuantity"] * row["ListUnitPrice"] == row["ListCost"]


def test_usage_of_a_void_invoice_has_that_cause(ledger: Ledger) -> None:
    ledger.add_item(OneOffItem("acme", "setup", OCTOBER, "USD", 9000, "Setup"), "ada")
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    void(invoice(ledger, OCTOBER).number or "", ledger, Word("ada", "a test", LATER))
    [row] = as_of_now(OCTOBER, ledger, WAREHOUSE, LOG).rows
    assert (row.tenant, row.causes, row.void_micro) == ("acme", ["void"], 10**6)
    assert in_words(row) == "acme, tokens: void 1; counter 1, warehouse 1, invoice 0"


def test_whoever_has_nothing_has_no_adjusting_lines(ledger: Ledger) -> None:
    draft(ledger, OCTOBER)
    [bolt] = ledger.invoices(OCTOBER, tenant="bolt")
    assert [line.kind for line in bolt.lines] == ["base_fee"]
    assert "subtotal_minor" not in json.loads(bolt.document)
