"""Months closed on a real ledger whose late usage is corrected by notes beside the invoices."""

import json

from pipelines.close import closing, opening
from schemas.extras import OneOffItem
from schemas.vector import Vector
from stores.ledger import Ledger, connect
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.unit.stores.ledger.builders import SELLER

OCTOBER, NOVEMBER = "2026-10", "2026-11"
EVENTS = [
    Used("acme", "tokens", at("10-05"), units(1_500_000), offset=0),
    Used("acme", "tokens", at("10-30"), units(250_000), offset=1),
]


def close(ledger: Ledger, month: str, now: str, until: int) -> None:
    """Close a month by as much of the log."""
    end = Vector({(1, 0): until})
    log, warehouse = FakeLog(end, end), FakeWarehouse(EVENTS, end)
    opening.open_closing(
        month, ledger, log, warehouse, lambda: at(now), code_version="1", grace_ms=0
    )
    closing.aggregate_usage(month, ledger, warehouse)
    closing.rate_charges(month, ledger)
    closing.prorate_fees(month, ledger)
    closing.draft_invoices(month, ledger)
    closing.reconcile(month, ledger, warehouse, log, max_held=0)
    closing.finalize(month, ledger, lambda: at(now), seller=SELLER)


def test_a_note_beside_an_invoice_with_an_item_is_finalized_with_it(url: str) -> None:
    ledger = connect(url, clock=lambda: at("11-05"))
    body = llm_tokens().model_dump(mode="json") | {"late_usage": {"corrected_by": "note"}}
    ledger.apply_catalog(json.dumps(body).encode(), at("08-01"))
    ledger.save_subscriptions([a_subscription("pro 09-01")], at("09-01"), "ada")
    close(ledger, OCTOBER, "11-01 02:00", 1)
    ledger.add_item(OneOffItem("acme", "k1", NOVEMBER, "USD", 1000, "Setup"), "ada")
    close(ledger, NOVEMBER, "12-01 02:00", 2)
    found = [(it.kind, it.total_minor) for it in ledger.invoices(NOVEMBER)]
    assert found == [("invoice", 4999 + 1000), ("note", 200)]
    ledger.close()
