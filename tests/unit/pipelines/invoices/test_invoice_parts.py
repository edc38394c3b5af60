"""A month's invoices in parts of whole tenants: together they are what the ledger holds."""

from dataclasses import replace

import pytest

from pipelines.close.rerun import rerun
from pipelines.invoices.books import Books
from pipelines.invoices.invoice_parts import invoice_parts, records_of
from schemas.invoice import Invoice, InvoiceState, remade_id
from tests.invoice_tables import documents_of, lines_of
from tests.unit.pipelines.close.test_closing import MONTH, World
from tests.unit.pipelines.close.test_closing_adjusted import Adjusted


@pytest.fixture
def world() -> World:
    """A closed month in which one invoice was made void and again."""
    closed = Adjusted()
    closed.close()
    [old] = closed.ledger.invoices(MONTH, tenant="design")
    remade = replace(old, id=remade_id(old.id), number="2026-10-000009")
    for invoice in (replace(old, state=InvoiceState.VOID), remade):
        closed.ledger.put(invoice)
    return closed


def known(invoice: Invoice) -> Invoice:
    """Without what concerns payment, which parts do not tell."""
    return replace(invoice, issued_ms=None, due_ms=None)


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_parts_hold_every_invoice_with_all_it_says(world: World, at_once: int) -> None:
    books = Books(MONTH, world.ledger)
    parts = list(invoice_parts(books.records, books, at_once))
    assert len(parts) == -(-3 // at_once)
    found = [invoice for part in parts for invoice in records_of(part)]
    assert found == [known(each) for each in world.ledger.invoices(MONTH)]


def test_they_come_in_their_order_however_they_are_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = world.ledger.invoices(MONTH)[::-1]
    monkeypatch.setattr(world.ledger, "invoice_lines", lambda *_: lines_of(stored))
    monkeypatch.setattr(world.ledger, "invoice_documents", lambda *_: documents_of(stored))
    books = Books(MONTH, world.ledger)
    [part] = invoice_parts(books.records, books)
    assert part.lines.equals(lines_of(stored[::-1]))
    assert part.documents.equals(documents_of(stored[::-1]))


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_what_is_computed_again_is_read_in_the_same_parts(world: World, at_once: int) -> None:
    again = rerun(MONTH, world.ledger, world.warehouse)
    found = [
        invoice
        for part in invoice_parts(again.records, again, at_once)
        for invoice in records_of(part)
    ]
    invoices = [each for each in world.ledger.invoices(MONTH) if "#" not in each.id]
    assert found == [
        replace(known(each), number=None, state=InvoiceState.DRAFT) for each in invoices
    ]
