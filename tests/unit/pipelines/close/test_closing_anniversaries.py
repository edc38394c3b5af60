"""A month closed in which some tenants' billing periods are calendar months and some are not."""

import json

import pytest

from pipelines.close import closing, opening
from schemas.catalog import Catalog
from schemas.invoice import Invoice
from schemas.vector import Vector
from tests.builders import explained, llm_tokens, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.fakes import FakeLedger
from tests.plan_lives import a_life, when

HOUR_MS = 3_600_000
LIVES = {
    "calendar": ("pro 09-01", 1),
    "sixteen": ("pro 09-16", 16),
    "upgraded": ("pro 09-16, enterprise 10-01", 16),
    "last_day": ("pro 08-31", 31),
    "later": ("pro 10-20", 20),
}


def used(tenant: str, moment: str, tokens: int) -> list[Used]:
    return [
        Used(tenant, meter, when(moment), units(tokens), 0, 1)
        for meter in ("tokens", "input_tokens")
    ]


def a_ledger() -> FakeLedger:
    body = llm_tokens().model_dump(mode="json") | {"anniversary_billing": True}
    lives = [
        a_life(life, anchor_day, tenant=tenant) for tenant, (life, anchor_day) in LIVES.items()
    ]
    return FakeLedger({1: Catalog.model_validate(body)}, lives)


def a_warehouse() -> FakeWarehouse:
    events = [
        *used("calendar", "09-30 23:59:59", 9_000_000),
        *used("calendar", "10-01", 1_500_000),
        *used("sixteen", "09-15 23:59:59", 9_000_000),
        *used("sixteen", "09-16", 1_000_000),
        *used("sixteen", "10-15 23:59:59", 500_000),
        *used("sixteen", "10-16", 3_000_000),
        *used("upgraded", "09-20", 1_000_000),
        *used("upgraded", "10-01", 5_000_000),
        *used("last_day", "10-30 23:59:59", 2_000_000),
        *used("last_day", "10-31", 7_000_000),
        *used("later", "10-21", 5_000_000),
        *used("stranger", "10-21", 7),
    ]
    return FakeWarehouse(sorted(events, key=lambda it: it.time_ms), Vector({(1, 0): 5}))


def close(ledger: FakeLedger, month: str, now: str) -> dict[str, Invoice]:
    log = FakeLog(Vector({(1, 0): 5}), Vector({(1, 0): 5}))
    warehouse = a_warehouse()

    def clock() -> int:
        return when(now)

    opening.open_closing(month, ledger, log, warehouse, clock, code_version="1", grace_ms=HOUR_MS)
    closing.aggregate_usage(month, ledger, warehouse)
    closing.rate_charges(month, ledger)
    closing.prorate_fees(month, ledger)
    closing.draft_invoices(month, ledger)
    closing.reconcile(month, ledger, warehouse, log, max_held=0)
    closing.finalize(month, ledger, clock, seller="seller")
    return {invoice.tenant: invoice for invoice in ledger.invoices(month)}


def test_each_is_billed_for_the_period_that_ends_in_the_month() -> None:
    ledger = a_ledger()
    found = close(ledger, "2026-10", "11-01 02:00")
    periods = {t: json.loads(i.document)["period"] for t, i in found.items()}
    assert {t: (p["start"][5:10], p["end"][5:10]) for t, p in periods.items()} == {
        "calendar": ("10-01", "11-01"),
        "sixteen": ("09-16", "10-16"),
        "upgraded": ("09-16", "10-16"),
        "last_day": ("09-30", "10-31"),
    }
    assert {tenant: invoice.total_minor for tenant, invoice in found.items()} == {
        # 500,000 beyond the million at 8.00 a million
        "calendar": 4999 + 400,
        "sixteen": 4999 + 400,
        # half a period each: 49.99 − 25.00 + 100.00; a pool of 5.5 million, 0.5 million at 5.00
        "upgraded": 4999 - 2500 + 10000 + 250,
        "last_day": 4999 + 800,
    }
    assert all(invoice.held is None for invoice in found.values())


@pytest.mark.parametrize("tenant", ["calendar", "sixteen", "upgraded", "last_day"])
def test_an_invoice_of_any_anchor_is_recomputed_line_by_line(tenant: str) -> None:
    ledger = a_ledger()
    close(ledger, "2026-10", "11-01 02:00")
    told = explained("2026-10", tenant, ledger)
    assert told.endswith("Recomputed from the price list: every line agrees.\n")


def test_the_next_close_goes_on_where_the_last_ended() -> None:
    ledger = a_ledger()
    close(ledger, "2026-10", "11-01 02:00")
    found = close(ledger, "2026-11", "12-01 02:00")
    # 3 million from 16 October on; 7 from the 31st; 5 from the 20th
    assert {
        t: i.total_minor for t, i in found.items() if t in ("sixteen", "last_day", "later")
    } == {
        "sixteen": 4999 + 1600,
        "last_day": 4999 + 4800,
        "later": 4999 + 3200,
    }


def test_usage_before_a_first_period_is_of_nobody_and_counted_once() -> None:
    ledger = a_ledger()
    close(ledger, "2026-10", "11-01 02:00")
    rows = {(row.tenant, row.meter): row for row in ledger.compared("2026-10")}
    assert ("later", "tokens") not in rows
    assert rows["stranger", "tokens"].unpriced_micro == units(7)
    assert rows["sixteen", "tokens"].warehouse_micro == units(1_500_000)
