"""A tenant may be called anything: its month is closed, made void, made again, credited, explained.

Ids of invoices and notes are made of names, and are told apart by what stands after them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.corrections.invoice_corrections import Word, credit, regenerate, void
from pipelines.explain.explanation import explain_invoice
from schemas.extras import CreditGrant
from schemas.invoice import Invoice
from schemas.vector import Vector
from stores.ledger import Ledger, connect
from tests.builders import at as instant
from tests.fake_warehouse import FakeWarehouse, Used
from tests.unit.stores.ledger.builders import NOW, SELLER, a_subscription
from tests.unit.stores.ledger.months.test_adjusted_months import (
    CATALOG,
    LATER,
    OCTOBER,
    agrees,
    draft,
    finalize,
)

LIKE_IDS = ("acme", "acme#1", "#7", "a#b#c", "acme:2026-10#2", "acme:2026-09:late", "a:credit:1")
NAMES = (
    *LIKE_IDS,
    *(
        "O'Neil",
        'say "hi"',
        "100%_",
        "back\\slash",
        "two\nlines",
        "tab\t",
        " space ",
        "日本",
        "Ünï",
    ),
    *("ACME", "a,b", "<b>&amp;", "$name", "{x}", "--", ";", "😀", "n" * 200),
)
WORD = Word("ada", "a test", LATER)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A tenant of every name, with a credit, so that whatever follows from names is there."""
    opened = connect(url, clock=lambda: LATER)
    opened.apply_catalog(CATALOG.model_dump_json().encode(), NOW)
    opened.save_subscriptions([a_subscription(name) for name in NAMES], NOW, "ada")
    for name in NAMES:
        opened.grant_credit(CreditGrant(name, "gift", "USD", 100, instant("10-02"), None), "ada")
    yield opened
    opened.close()


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> FakeWarehouse:
    used = [Used(name, "tokens", instant("10-20"), 10**6) for name in NAMES]
    metered = FakeWarehouse(used, Vector({(1, 0): 5}))
    monkeypatch.setattr("tests.unit.stores.ledger.months.test_adjusted_months.WAREHOUSE", metered)
    return metered


def of(tenant: str, ledger: Ledger) -> Invoice:
    [invoice] = [it for it in ledger.invoices(OCTOBER, tenant=tenant) if it.kind == "invoice"]
    return invoice


@pytest.mark.usefixtures("warehouse")
def test_whatever_tenants_are_called_their_month_is_closed(ledger: Ledger, tmp_path: Path) -> None:
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    assert agrees(ledger, OCTOBER, tmp_path / "closed")
    for name in NAMES:
        assert "every line agrees" in explain_invoice(of(name, ledger), ledger)


@pytest.mark.usefixtures("warehouse")
def test_whoever_is_called_like_an_id_has_its_invoice_made_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    draft(ledger, OCTOBER)
    finalize(ledger, OCTOBER)
    for name in LIKE_IDS:
        first = of(name, ledger)
        void(first.number or "", ledger, WORD)
        second = regenerate(first.number or "", ledger, WORD, seller=SELLER)
        void(second.number or "", ledger, WORD)
        third = regenerate(second.number or "", ledger, WORD, seller=SELLER)
        assert [second.id, third.id] == [f"{first.id}#2", f"{first.id}#3"]
        note, _ = credit(third.number or "", ledger, WORD, seller=SELLER, amount_minor=100)
        assert note.id == f"{third.id}:credit::1"
    assert agrees(ledger, OCTOBER, tmp_path / "made again")
