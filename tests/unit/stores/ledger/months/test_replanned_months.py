"""Months closed on a real ledger whose plans are changed afterwards, with `--in-closed-months`."""

from collections.abc import Iterator

import pytest

from pipelines.close import closing, opening
from pipelines.corrections.invoice_corrections import Word, regenerate, void
from schemas.invoice import Invoice
from schemas.vector import Vector
from stores.ledger import Ledger, connect
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.unit.stores.ledger.builders import SELLER

OCTOBER, NOVEMBER = "2026-10", "2026-11"
BILLED = 2580 + 1756
"""16 of 31 days of pro's 49.99, and 2,700,000 − 504,516 tokens at 8.00 a million."""

WORD = Word("ada", "a test", at("11-05"))
AS_OF = Vector({(1, 0): 5})
LOG = FakeLog(AS_OF, AS_OF)
WAREHOUSE = FakeWarehouse(
    [
        Used("acme", "tokens", at("10-05"), units(60_000), offset=1),
        Used("acme", "tokens", at("10-20"), units(2_700_000), offset=2),
    ],
    AS_OF,
)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """Acme went from free to pro on 16 October, which is closed and made void afterwards."""
    opened = connect(url, clock=lambda: at("11-05"))
    opened.apply_catalog(llm_tokens().model_dump_json().encode(), at("08-01"))
    opened.save_subscriptions([a_subscription("free 09-01, pro 10-16")], at("09-01"), "ada")
    close(opened, OCTOBER, "11-01 02:00")
    void(invoice(opened, OCTOBER).number or "", opened, WORD)
    yield opened
    opened.close()


def close(ledger: Ledger, month: str, now: str) -> None:
    def clock() -> int:
        return at(now)

    opening.open_closing(month, ledger, LOG, WAREHOUSE, clock, code_version="1", grace_ms=0)
    closing.aggregate_usage(month, ledger, WAREHOUSE)
    closing.rate_charges(month, ledger)
    closing.prorate_fees(month, ledger)
    closing.draft_invoices(month, ledger)
    closing.reconcile(month, ledger, WAREHOUSE, LOG, max_held=0)
    closing.finalize(month, ledger, clock, seller=SELLER)


def replan(ledger: Ledger, plans: str) -> None:
    ledger.save_subscriptions([a_subscription(plans)], at("11-05"), "ada", in_closed_months=True)


def invoice(ledger: Ledger, month: str) -> Invoice:
    return ledger.invoices(month, tenant="acme")[-1]


@pytest.mark.parametrize("plans", ["pro 09-01", "pro 11-01"])
def test_what_is_made_again_is_by_the_plans_that_its_usage_was_cut_with(
    ledger: Ledger, plans: str
) -> None:
    old = invoice(ledger, OCTOBER)
    replan(ledger, plans)
    remade = regenerate(old.number or "", ledger, WORD, seller=SELLER)
    assert (remade.lines, remade.total_minor) == (old.lines, BILLED)


def test_the_next_close_corrects_it_by_the_plans_as_they_are(ledger: Ledger) -> None:
    replan(ledger, "pro 09-01")
    regenerate(invoice(ledger, OCTOBER).number or "", ledger, WORD, seller=SELLER)
    close(ledger, NOVEMBER, "12-01 02:00")
    # October is 49.99 and 1,760,000 tokens beyond 1,000,000 for 14.08 then, November 49.99
    assert invoice(ledger, NOVEMBER).total_minor == 4999 + (4999 + 1408 - BILLED)
