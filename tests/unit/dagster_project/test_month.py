"""A month through Dagster's assets and checks: right, run twice, held where it differs."""

import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from pipelines.invoices.draft_tables import drafts_of
from schemas.closing import ClosingState
from schemas.invoice import InvoiceState
from schemas.period import parse_instant
from schemas.reversal import Reversal, ReversalKind, ReversalState
from schemas.vector import Vector
from tests.builders import at
from tests.unit.dagster_project.months import (
    CLOSE,
    COLLECT,
    MONTH,
    Month,
    a_month,
    check_of,
    materialized,
    metadata_of,
)

CHECKS = [
    "adjustments_hold",
    "charges_match_usage",
    "counters_match_warehouse",
    "ids_stay_in_one_month",
    "items_have_an_invoice",
    "lines_sum_to_totals",
    "no_surprising_change",
    "one_invoice_per_subscription",
    "period_is_complete",
    "three_figures_agree",
    "usage_has_a_price",
    "usage_has_a_subscription",
]


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setattr("dagster_project.collection.PAUSE_MS", 1)
    return a_month(tmp_path)


def test_a_month_is_closed_finalized_and_collected_to_the_cent(month: Month) -> None:
    closed = month.run(*CLOSE)
    assert closed.success
    assert materialized(closed) == CLOSE
    assert sorted(e.check_name for e in closed.get_asset_check_evaluations()) == CHECKS
    assert all(e.passed for e in closed.get_asset_check_evaluations())
    drafts = month.ledger.invoices(MONTH)
    assert {i.tenant: i.total_minor for i in drafts} == {"design": 2736, "upgrade": 15161}
    assert {i.state for i in drafts} == {InvoiceState.DRAFT}

    month.provider.decides_at_once = True
    collected = month.run(*COLLECT)
    assert collected.success
    assert check_of(collected, "payments_match_invoices").passed
    assert metadata_of(collected, "payment_collection")["succeeded"] == 2
    final = {i.number: i.state.value for i in month.ledger.invoices(MONTH)}
    assert final == {"2026-10-000001": "paid", "2026-10-000002": "paid"}


def test_running_everything_again_changes_nothing_and_says_so(month: Month) -> None:
    month.provider.decides_at_once = True
    for assets in (CLOSE, CLOSE, COLLECT):
        assert month.run(*assets).success
    before = month.contents()
    closed, collected = month.run(*CLOSE), month.run(*COLLECT)
    assert (closed.success, collected.success) == (True, True)
    assert month.contents() == before
    for name in (*CLOSE, "finalized_invoices"):
        run = closed if name in CLOSE else collected
        assert "closed" in metadata_of(run, name)["written"]
    assert metadata_of(collected, "payment_collection")["charged_now"] == 0


def test_drafts_made_twice_are_the_same_to_the_byte(month: Month) -> None:
    month.run(*CLOSE)
    documents = [invoice.document for invoice in month.ledger.invoices(MONTH)]
    month.run(*CLOSE)
    assert [invoice.document for invoice in month.ledger.invoices(MONTH)] == documents


def test_an_operator_sees_money_as_text_and_number(month: Month) -> None:
    shown = metadata_of(month.run(*CLOSE), "invoices")
    assert (shown["total_usd"], shown["total_usd_minor"]) == ("178.97", 17897)
    assert shown["largest invoices"].records[0].data["total"] == "USD 151.61"


def test_what_was_due_by_the_month_s_end_is_recorded_first(month: Month) -> None:
    now_ms = at("11-02")
    assert month.ledger.tenants_due(now_ms) != []
    assert month.run("monthly_usage").success
    assert month.ledger.tenants_due(now_ms) == []


def lose_a_count(month: Month, *tenants: str) -> None:
    month.warehouse.events = [
        replace(used, counted=used.tenant not in tenants) for used in month.warehouse.events
    ]


def test_a_tenant_whose_counter_differs_is_held_and_the_others_go_on(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_MAX_HELD", "0.5")
    month.provider.decides_at_once = True
    lose_a_count(month, "upgrade")
    closed = month.run(*CLOSE)
    assert closed.success
    check = check_of(closed, "counters_match_warehouse")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == (
        "upgrade, tokens: the counter says 0, the warehouse 5000 and 0 in late repeats"
    )
    assert month.run(*COLLECT).success
    by_tenant = {i.tenant: i for i in month.ledger.invoices(MONTH)}
    assert by_tenant["design"].state is InvoiceState.PAID
    assert by_tenant["upgrade"].state is InvoiceState.DRAFT
    assert "the counter says 0" in (by_tenant["upgrade"].held or "")


def test_too_many_differences_stop_the_run_and_nothing_can_be_finalized(month: Month) -> None:
    lose_a_count(month, "design", "upgrade")
    closed = month.run(*CLOSE)
    assert not closed.success
    assert materialized(closed) == ["monthly_usage"]
    assert not month.run("finalized_invoices").success
    assert month.ledger.invoices(MONTH) == []
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    assert closing.state is ClosingState.OPEN


def test_a_month_before_anybody_came_is_closed_without_invoices(month: Month) -> None:
    drafted = month.run(*CLOSE, key="2025-12")
    assert drafted.success
    assert all(each.passed for each in drafted.get_asset_check_evaluations())
    assert month.run("finalized_invoices", key="2025-12").success
    closing = month.ledger.closing("2025-12")
    assert closing is not None
    assert closing.state is ClosingState.CLOSED
    assert month.ledger.invoices("2025-12") == []


def test_a_month_that_is_not_landed_is_not_opened(month: Month) -> None:
    month.log.landing = Vector({(1, 0): 7})
    closed = month.run(*CLOSE)
    assert not closed.success
    assert "partition 0: 3 records behind" in json.dumps(
        [str(e.event_specific_data) for e in closed.all_events if e.is_step_failure]
    )
    awaited = month.ledger.closing(MONTH)
    assert awaited is not None
    assert awaited.state is ClosingState.AWAITING


def test_without_counters_it_closes_and_says_why(month: Month) -> None:
    month.warehouse.counters_at = Vector()
    reason = {"ops": {"monthly_usage": {"config": {"without_counters": "they are down"}}}}
    closed = month.run(*CLOSE, config=reason)
    assert closed.success
    check = check_of(closed, "counters_match_warehouse")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "they are down" in check.description
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    assert closing.without_counters == "they are down"


def test_a_total_far_from_the_month_before_is_a_warning_only(month: Month) -> None:
    month.run(*CLOSE)
    invoices = month.ledger.invoices(MONTH)
    september = [
        replace(i, id=f"{i.subscription}:2026-09", month="2026-09", lines=()) for i in invoices
    ]
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    month.ledger.save_closing(replace(closing, month="2026-09"))
    month.ledger.replace_drafts("2026-09", drafts_of(september))
    again = month.run(*CLOSE)
    check = check_of(again, "no_surprising_change")
    assert again.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "upgrade: USD 151.61, after USD 0.00 the month before" in str(check.metadata)


def test_a_declined_card_is_no_failure_of_the_run(month: Month) -> None:
    month.provider.declines = {"upgrade": "card_declined"}
    month.provider.decides_at_once = True
    month.run(*CLOSE)
    collected = month.run(*COLLECT)
    assert collected.success
    assert check_of(collected, "payments_match_invoices").passed
    shown = metadata_of(collected, "payment_collection")
    assert (shown["succeeded"], shown["failed"]) == (1, 1)
    again = {"ops": {"payment_collection": {"config": {"again": True}}}}
    shown = metadata_of(month.run(*COLLECT, config=again), "payment_collection")
    [row] = [record.data for record in shown["failed payments"].records]
    assert (row["tenant"], row["reason"], row["attempts"]) == ("upgrade", "card_declined", 2)
    assert parse_instant(str(row["last"])) > 0
    month.provider.declines = {}
    shown = metadata_of(month.run(*COLLECT, config=again), "payment_collection")
    assert shown["failed payments"] == "none"


def test_where_there_is_no_month_before_it_is_not_said_to_be_near(month: Month) -> None:
    check = check_of(month.run(*CLOSE), "no_surprising_change")
    assert check.passed
    assert check.description == "there are no invoices of 2026-09 to compare with"


def test_what_went_back_is_asked_for_by_the_next_run_and_shown_net(month: Month) -> None:
    month.provider.decides_at_once = True
    month.run(*CLOSE)
    shown = metadata_of(month.run(*COLLECT), "payment_collection")
    assert (shown["received_usd"], shown["went back"]) == ("USD 178.97", "none")
    [invoice, _] = month.ledger.invoices(MONTH)
    attempt = month.ledger.attempts(MONTH)[0]
    refund = Reversal(
        payment=attempt.reference or "",
        reference="re_1",
        kind=ReversalKind.REFUND,
        state=ReversalState.SETTLED,
        amount_minor=1000,
        currency="USD",
        at_ms=2**42,
    )
    month.provider.went_back["re_1"] = refund
    collected = month.run(*COLLECT)
    shown = metadata_of(collected, "payment_collection")
    assert (shown["received_usd"], shown["received_usd_minor"]) == ("USD 168.97", 16897)
    [row] = [record.data for record in shown["went back"].records]
    assert (row["tenant"], row["kind"], row["amount"]) == (invoice.tenant, "refund", "USD 10.00")
    assert check_of(collected, "payments_match_invoices").passed
    assert [i.state for i in month.ledger.invoices(MONTH)] == ["paid", "paid"]
    assert len(month.provider.calls) == 2


def test_what_went_back_and_is_not_in_the_ledger_is_a_finding(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_project.went_back.follow_all", lambda *_: None)
    month.provider.decides_at_once = True
    month.run(*CLOSE)
    month.run(*COLLECT)
    attempt = month.ledger.attempts(MONTH)[0]
    told = ("re_1", ReversalKind.REFUND, ReversalState.SETTLED, 1000, "USD", 2**42)
    month.provider.went_back["re_1"] = Reversal(attempt.reference or "", *told)
    check = check_of(month.run(*COLLECT), "payments_match_invoices")
    assert not check.passed
    assert "sandbox says USD 10.00 went back, the ledger USD 0.00" in (check.description or "")


def test_a_preview_writes_nothing(month: Month) -> None:
    shown = metadata_of(month.run("upcoming_invoices"), "upcoming_invoices")
    assert shown["total_usd"] == "178.97"
    assert month.contents() == [None, [], [], []]
