"""An invoice's page: what a tenant reads on it, and what cannot be smuggled into it."""

import re
from dataclasses import replace
from html import unescape

import pytest

from countinghouse.invoice_page import invoice_page
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.period import BillingPeriod

OCTOBER = BillingPeriod.month("2026-10")
LINES = (
    InvoiceLine("base_fee", "pro", OCTOBER, 49_99, fee_minor=49_99),
    InvoiceLine("included", "pro", OCTOBER, 0, meter="tokens", quantity_micro=1_000_000_000_000),
    InvoiceLine(
        "overage", "pro", OCTOBER, 12_00, meter="tokens",
        quantity_micro=1_500_000_000_000, unit_price_pico=8_000_000,
    ),
    InvoiceLine(
        "tax", "pro", OCTOBER, 6_20, name="VAT", rate_ppm=100_000, base_minor=61_99, tax_minor=6_20
    ),
    InvoiceLine("credit_applied", "pro", OCTOBER, -10_00, name="goodwill", base_minor=10_00),
)  # fmt: skip
ISSUED_MS = OCTOBER.end_ms + 86_400_000
INVOICE = Invoice(
    "sub_acme:2026-10", "acme", "sub_acme", "2026-10", "USD", LINES, b"{}", "ab" * 32,
    state=InvoiceState.FINALIZED, number="2026-10-000001",
    issued_ms=ISSUED_MS, due_ms=ISSUED_MS + 14 * 86_400_000,
)  # fmt: skip


def shown(invoice: Invoice, **given: str) -> str:
    """The page's text as a person reads it: without marks, a space where there were any."""
    page = invoice_page(invoice, OCTOBER, given.get("seller", "Seller Ltd"), "5 × 1 = 5")
    body = page.partition("<body>")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_it_says_who_owes_what_to_whom_until_when() -> None:
    text = shown(INVOICE)
    assert text.startswith("Invoice 2026-10-000001 finalized From Seller Ltd To acme")
    assert "Period 2026-10-01 to 2026-10-31 Issued 2026-11-02 Due 2026-11-16" in text
    assert "How each amount came about 5 × 1 = 5" in text
    assert INVOICE.document_hash in text


def test_lines_stand_under_their_kind_in_their_order() -> None:
    text = shown(INVOICE)
    assert "Plan 1 Pro, October 2026 49.99 Usage 2 Pro, October: tokens included" in text
    assert "tokens beyond the included, 0.000008 each 1,500,000 0.000008 12.00" in text
    assert "Further items, discounts, taxes and credits 4 VAT" in text


def test_the_totals_lead_to_what_is_due() -> None:
    parts = "Subtotal 61.99 Tax 6.20 Paid by prepaid credits −10.00 Amount due 58.19"
    assert parts in shown(INVOICE)
    credited = replace(INVOICE, credited_minor=8_19)
    assert "Total 58.19 Credited since −8.19 Amount due 50.00" in shown(credited)
    refunded = replace(INVOICE, state=InvoiceState.PAID, reversed_minor=5_00)
    assert "Paid 58.19 Refunded or disputed since −5.00" in shown(refunded)
    plain = replace(INVOICE, lines=LINES[:1])
    assert "Usage" not in shown(plain)
    assert "49.99 Amount due 49.99" in shown(plain)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"state": InvoiceState.PAID}, "Paid 58.19"),
        ({"state": InvoiceState.PAST_DUE}, "past due"),
        ({"state": InvoiceState.VOID}, "Void: nothing is owed 0.00"),
        ({"state": InvoiceState.DRAFT, "number": None, "due_ms": None}, "Invoice, draft draft"),
        ({"kind": "note", "corrects": "sub_acme:2026-09"}, "Debit note 2026-10-000001"),
        (
            {"kind": "note", "corrects": "x:2026-09", "lines": LINES[-1:]},
            "Credit note 2026-10-000001",
        ),
    ],
)
def test_its_state_is_told(change: dict[str, object], told: str) -> None:
    text = shown(replace(INVOICE, **change))  # type: ignore[arg-type]
    assert told in text
    assert ("Due 2026" in text) == (change.get("state") not in (InvoiceState.VOID, "draft"))


def test_no_name_becomes_part_of_the_page() -> None:
    hostile = "<script>alert('x')</script> & co"
    lines = (replace(LINES[-1], name=hostile), *LINES)
    invoice = replace(INVOICE, tenant=hostile, subscription=hostile, lines=lines)
    page = invoice_page(invoice, OCTOBER, hostile, hostile, [(1, [hostile])])
    assert "<script" not in page
    assert unescape(page).count(hostile) == 7
    assert shown(invoice, seller=hostile).count(hostile) == 4


def test_the_events_of_a_line_stand_beside_its_number() -> None:
    evidence = [(3, ["12 events, together 5", "digest of all 12 events: 00ff"])]
    page = invoice_page(INVOICE, OCTOBER, "Seller", "text", evidence)
    assert "  3  12 events, together 5\n     digest of all 12 events: 00ff\n" in page


def test_the_same_invoice_makes_the_same_page() -> None:
    first, second = (invoice_page(INVOICE, OCTOBER, "Seller", "text") for _ in range(2))
    assert first == second
    assert "http" not in first  # it loads nothing
