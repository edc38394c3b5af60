"""Numbers without gaps, given once, to whoever passes the gate."""

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict, NotFound, ReconciliationFailed
from stores.ledger import Ledger, connect
from stores.ledger.connection import writing
from stores.ledger.months.month_slices import reconciliation_slice
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


def finalize(url: str) -> int:
    """Finalize the month in a process of its own."""
    return connect(url).finalize(MONTH, SELLER, NOW, DUE)


def closing_state(ledger: Ledger) -> ClosingState:
    closing = ledger.closing(MONTH)
    assert closing is not None
    return closing.state


def numbers(ledger: Ledger) -> dict[str, str | None]:
    return {invoice.tenant: invoice.number for invoice in ledger.invoices(MONTH)}


def test_numbers_follow_tenant_order_and_zero_is_paid_at_once(ledger: Ledger) -> None:
    invoices = finalized(ledger, a_draft("bolt", 0), a_draft("acme", 4999), a_draft("Core", 5, -5))
    assert [(each.tenant, each.number, each.state) for each in invoices] == [
        ("Core", "2026-10-000001", "paid"),
        ("acme", "2026-10-000002", "finalized"),
        ("bolt", "2026-10-000003", "paid"),
    ]
    assert {(each.issued_ms, each.due_ms) for each in invoices} == {(NOW, DUE)}


def test_numbers_have_no_gap_however_drafts_are_stored(ledger: Ledger) -> None:
    """A run that was killed leaves parts, which the next one may write in another order."""
    finalized(ledger, *map(a_draft, "efgbcahd"))
    given = {tenant: f"2026-10-{n:06}" for n, tenant in enumerate("abcdefgh", 1)}
    assert numbers(ledger) == given
    told = [json.loads(event.data)["number"] for event in ledger.behind_events(10)]
    assert told == list(given.values())


def test_finalizing_twice_is_harmless(ledger: Ledger) -> None:
    before = finalized(ledger, a_draft("acme"), a_draft("bolt", 0))
    assert ledger.finalize(MONTH, SELLER, NOW + 1, DUE + 1) == 0
    assert ledger.invoices(MONTH) == before
    assert len(ledger.behind_events(10)) == 2
    assert len(ledger.audit_log(MONTH)) == 1


@pytest.mark.integration
def test_two_processes_at_once_number_each_invoice_once(ledger: Ledger, url: str) -> None:
    prepare_month(ledger, [a_draft(f"tenant{n:03}", n) for n in range(200)])
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        counts = pool.map(finalize, [url, url])
    assert sorted(counts) == [0, 200]
    given = [invoice.number for invoice in ledger.invoices(MONTH)]
    assert given == [f"2026-10-{n:06}" for n in range(1, 201)]


def test_threads_may_share_a_ledger(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft(f"tenant{n}", n) for n in range(20)])
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda _: ledger.finalize(MONTH, SELLER, NOW, DUE), range(8)))
    assert sorted(counts) == [0] * 7 + [20]


def test_each_is_told_once(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme", 4999))
    [event] = ledger.behind_events(10)
    assert (event.id, event.type, event.tenant, event.at_ms) == (
        "invoice.finalized:sub_acme:2026-10",
        "invoice.finalized",
        "acme",
        NOW,
    )
    assert json.loads(event.data) == {
        "invoice": "sub_acme:2026-10",
        "number": "2026-10-000001",
        "month": MONTH,
        "currency": "USD",
        "total_minor": 4999,
        "due_ms": DUE,
    }


def test_held_tenants_take_the_next_numbers_later(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt"), a_draft("core")])
    ledger.hold(MONTH, {"acme": "counter differs by 3"})
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 2
    assert numbers(ledger) == {"acme": None, "bolt": "2026-10-000001", "core": "2026-10-000002"}
    ledger.hold(MONTH, {})
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1
    assert numbers(ledger)["acme"] == "2026-10-000003"


def test_a_tenant_without_a_reconciliation_stays_a_draft(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    ledger.record_reconciliation(MONTH, reconciled(["bolt"]))
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1
    assert numbers(ledger) == {"acme": None, "bolt": "2026-10-000001"}


def test_a_month_whose_drafts_are_compared_anew_stays_open(ledger: Ledger) -> None:
    """Another run has dropped the comparison, to make the drafts anew: none would get a number."""
    prepare_month(ledger, [a_draft("acme")])
    ledger.record_reconciliation(MONTH, reconciled([]))
    with pytest.raises(ReconciliationFailed, match="not reconciled; run `countinghouse close"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    ledger.record_reconciliation(MONTH, reconciled(["acme"]))
    with writing(ledger._engine) as connection:
        generation = reconciliation_slice(MONTH).marks.begin(connection)
    with pytest.raises(ReconciliationFailed, match="not reconciled"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    with writing(ledger._engine) as connection:
        reconciliation_slice(MONTH).marks.complete(connection, generation, 1)
    assert closing_state(ledger) is ClosingState.OPEN


def test_a_month_without_drafts_is_closed_without_a_comparison(ledger: Ledger) -> None:
    prepare_month(ledger, [])
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 0
    assert closing_state(ledger) is ClosingState.CLOSED


def test_a_reconciliation_that_holds_is_enough_to_hold(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme")])
    ledger.record_reconciliation(MONTH, reconciled(["acme"], held={"acme": "negative usage"}))
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 0


def test_an_override_passes_the_gate_with_a_name_and_a_reason(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    reasons = {"acme": "counter differs by 3", "bolt": "negative usage"}
    ledger.record_reconciliation(MONTH, reconciled(["acme", "bolt"], reasons))
    ledger.hold(MONTH, reasons)
    ledger.override(MONTH, "acme", "ada", "agreed with the tenant")
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1
    assert numbers(ledger) == {"acme": "2026-10-000001", "bolt": None}
    [line] = ledger.audit_log("acme")
    assert (line["who"], line["action"]) == ("ada", "hold.overridden")
    assert json.loads(line["detail"]) == {"month": MONTH, "why": "agreed with the tenant"}


def test_an_override_needs_a_draft(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="'ghost' has no draft in 2026-10"):
        ledger.override(MONTH, "ghost", "ada", "a typing error")


def test_a_month_that_was_never_closed_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="2026-10 was never closed; run"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    ledger.save_closing(a_closing())
    with pytest.raises(Conflict, match="drafts of 2026-10 are not all written"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)


def test_series_are_kept_by_seller_and_month(ledger: Ledger) -> None:
    finalized(ledger, a_draft("acme"))
    prepare_month(ledger, [a_draft("acme", month="2026-11")], month="2026-11")
    ledger.finalize("2026-11", SELLER, NOW, DUE)
    assert ledger.invoice_numbers() == ["2026-10-000001", "2026-11-000001"]


def test_killed_before_the_commit_nothing_is_numbered(ledger: Ledger) -> None:
    def kill(_connection: sa.Connection) -> None:
        raise ZeroDivisionError

    prepare_month(ledger, [a_draft("acme")])
    sa.event.listen(ledger._engine, "commit", kill)
    with pytest.raises(ZeroDivisionError):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    sa.event.remove(ledger._engine, "commit", kill)
    assert numbers(ledger) == {"acme": None}
    assert ledger.behind_events(10) == []
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1
    assert numbers(ledger) == {"acme": "2026-10-000001"}
