"""What is worth a look in a month: each check fails on a month that has it, and stops nothing."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from pipelines.checks import month_ways
from pipelines.checks.reconciliation import rows_of_table, table_of_rows
from pipelines.invoices.books import Books
from schemas.extras import OneOffItem
from schemas.repeats import RepeatedIds
from schemas.vector import Vector
from tests.builders import a_subscription, at, units
from tests.fake_warehouse import Used
from tests.unit.dagster_project.months import (
    CLOSE,
    MONTH,
    Month,
    a_month,
    check_of,
    close_bare,
    metadata_of,
)


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return a_month(tmp_path)


def used(month: Month, tenant: str, day: str, tokens: int, offset: int = 4) -> None:
    month.warehouse.events.append(Used(tenant, "tokens", at(day), units(tokens), offset=offset))


def warned(month: Month, name: str) -> tuple[str, str]:
    """What a check of a run says that went on, and the command that it names."""
    run = month.run(*CLOSE)
    assert run.success
    return told(run, name)


def told(run: dg.ExecuteInProcessResult, name: str) -> tuple[str, str]:
    check = check_of(run, name)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    return check.description, check.metadata["listed by"].value


def test_usage_without_a_subscription_is_named(month: Month) -> None:
    used(month, "stranger", "10-05", 100)
    assert warned(month, "usage_has_a_subscription") == (
        "stranger: 100 tokens, no subscription",
        f"countinghouse usage unbilled {MONTH}",
    )


def test_usage_before_the_plan_began_is_named(month: Month) -> None:
    month.ledger.save_subscriptions([a_subscription("pro 10-05", "tardy")], 0, "test")
    used(month, "tardy", "10-04", 3)
    assert warned(month, "usage_has_a_price") == (
        "tardy: 3 tokens, no plan in force",
        f"countinghouse usage unbilled {MONTH}",
    )


def test_an_item_that_no_invoice_bills_is_named(month: Month) -> None:
    ended = a_subscription("pro 09-01 .. 10-01", "ended")
    month.ledger.save_subscriptions([ended], 0, "test")
    month.ledger.add_item(OneOffItem("ended", "k1", MONTH, "USD", 4200, "A dispute"), "test")
    assert warned(month, "items_have_an_invoice") == (
        f"ended: USD 42.00 for A dispute, and no invoice in {MONTH}",
        "countinghouse items list",
    )


def test_a_lost_count_is_told_with_the_three_figures(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_MAX_HELD", "0.5")
    month.warehouse.events = [
        replace(each, counted=each.tenant != "upgrade") for each in month.warehouse.events
    ]
    assert warned(month, "three_figures_agree") == (
        "upgrade, tokens: lost -5000; counter 0, warehouse 5000, invoice 5000",
        f"countinghouse reconcile {MONTH} --invoices",
    )


def test_usage_that_the_invoice_has_not_is_lost(month: Month) -> None:
    month.run(*CLOSE)
    rows = rows_of_table(month.ledger.reconciliation(MONTH))
    short = [replace(row, billed_micro=row.billed_micro - units(5)) for row in rows]
    month.ledger.record_reconciliation(MONTH, table_of_rows(short))
    told = [month_ways.in_words(row) for row in month_ways.as_recorded(Books(MONTH, month.ledger))]
    assert told[0] == "design, tokens: lost 5; counter 760000, warehouse 760000, invoice 759995"


def test_late_repeats_are_a_cause_and_no_warning(month: Month) -> None:
    month.warehouse.repeats = {("upgrade", "tokens"): units(7)}
    check = check_of(month.run(*CLOSE), "three_figures_agree")
    assert (check.passed, check.description) == (True, "all agree, 1 by late repeats")


def test_ids_that_come_in_two_months_are_named(month: Month) -> None:
    month.warehouse.in_two_months = [RepeatedIds("upgrade", "2026-11", 3, "shop", "e-1")]
    assert warned(month, "ids_stay_in_one_month") == (
        f"upgrade: 3 ids of {MONTH} came in 2026-11 too, like shop e-1",
        f"countinghouse usage repeated {MONTH}",
    )


def test_what_comes_after_the_close_is_late_and_not_lost(month: Month) -> None:
    close_bare(month, MONTH)
    used(month, "design", "10-30", 9, offset=10)
    month.log.end = month.log.landing = month.warehouse.counters_at = Vector({(1, 0): 11})
    run = month.run("late_usage")
    check = check_of(run, "differences_have_a_cause")
    assert (check.passed, check.metadata["late"].value) == (True, 1)
    assert metadata_of(run, "late_usage")["events"] == 1


def test_a_count_that_is_lost_after_the_close_is_named(month: Month) -> None:
    close_bare(month, MONTH)
    month.warehouse.events[0] = replace(month.warehouse.events[0], counted=False)
    said, listed_by = told(month.run("late_usage"), "differences_have_a_cause")
    assert said == "design, tokens: lost -60000; counter 700000, warehouse 760000, invoice 760000"
    assert listed_by == f"countinghouse reconcile {MONTH} --invoices"


def test_a_month_with_nothing_amiss_passes_them_all(month: Month) -> None:
    run = month.run(*CLOSE)
    assert [e.check_name for e in run.get_asset_check_evaluations() if not e.passed] == []
