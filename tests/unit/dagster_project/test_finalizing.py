"""Drafts that are finalized by themselves: when, in which months, how often it is tried."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import finalizing
from pipelines.close.closing import draft_invoices
from schemas.closing import ClosingState
from schemas.extras import OneOffItem
from tests.builders import at
from tests.unit.dagster_project.months import MONTH, Month, a_month, close_bare, drafted_bare

SEPTEMBER = "2026-09"
FAILED, STARTED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED
Tick = Callable[[str], list[str | None] | str]


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    """Drafts of October as of 1 November, which may be looked at for two days."""
    monkeypatch.setenv("COUNTINGHOUSE_DRAFT_PERIOD", "P2D")
    found = a_month(tmp_path)
    drafted_bare(found, MONTH)
    return found


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def tick(month: Month, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Tick:
    """What the sensor says at an instant: keys of runs, or why there is none."""

    def ticked(now: str) -> list[str | None] | str:
        monkeypatch.setattr(finalizing, "now_ms", lambda: at(now))
        ledger = {"ledger": month.resources()["ledger"]}
        with dg.build_sensor_context(instance, resources=ledger) as context:
            said = finalizing.drafts_due(context)
        if isinstance(said, dg.SkipReason):
            return said.skip_message or ""
        assert isinstance(said, list)
        assert [it.partition_key in (it.run_key or "") for it in said] == [True] * len(said)
        return [it.run_key for it in said]

    return ticked


def ended(instance: dg.DagsterInstance, reason: str, status: dg.DagsterRunStatus = FAILED) -> None:
    """A run of October's invoices, requested for a reason."""
    tags = {"dagster/partition": MONTH, "billing/reason": reason}
    name = f"run-{len(instance.get_runs())}"
    instance.add_run(dg.DagsterRun("finalize_and_collect", name, status=status, tags=tags))


def test_drafts_are_finalized_when_their_time_for_review_is_over(tick: Tick) -> None:
    assert tick("11-02 23:59") == ("drafts of 2026-10 may be looked at until 2026-11-03T00:00:00Z")
    assert tick("11-03") == ["finalize 2026-10 1"]


def test_a_month_that_is_drafted_late_has_its_time_too(month: Month, tick: Tick) -> None:
    """October is drafted on 30 November: due on 2 December, when November is the month before."""
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    month.ledger.save_closing(replace(closing, opened_ms=at("11-30")))
    assert "until 2026-12-02T00:00:00Z" in tick("12-01 23:59")
    assert tick("12-02") == ["finalize 2026-10 1"]


def test_every_open_month_is_looked_at_the_earliest_first(month: Month, tick: Tick) -> None:
    drafted_bare(month, SEPTEMBER)
    assert tick("11-03") == ["finalize 2026-09 1", "finalize 2026-10 1"]


def test_drafts_that_are_not_whole_wait_until_they_are_made_anew(month: Month, tick: Tick) -> None:
    month.ledger.add_item(OneOffItem("design", "setup", MONTH, "USD", 9900, "Setup"), "ada")
    assert "drafts of 2026-10 are not all written" in tick("11-04")
    drafted_bare(month, MONTH)
    assert tick("11-04") == ["finalize 2026-10 1"]


def test_a_month_that_is_not_compared_or_not_opened_has_nothing_to_finalize(
    month: Month, tick: Tick
) -> None:
    draft_invoices(MONTH, month.ledger)
    assert tick("11-04") == "2026-10 has no reconciled drafts"
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    month.ledger.save_closing(replace(closing, state=ClosingState.AWAITING))
    assert tick("11-04") == "no month is open, and nothing is left to collect"


def test_drafts_that_nobody_has_approved_wait(
    month: Month, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_APPROVAL", "true")
    assert tick("11-04") == (
        "2 drafts wait for approval; run `countinghouse invoices approve 2026-10 --all --why WHY`"
    )


def test_a_run_that_failed_is_tried_again_twice_and_none_beside_it(
    tick: Tick, instance: dg.DagsterInstance
) -> None:
    for attempt in (1, 2, 3):
        assert tick("11-04") == [f"finalize 2026-10 {attempt}"]
        ended(instance, "drafts are due")
    assert tick("11-04") == (
        "3 runs of 2026-10 have been tried; mend the cause and run `countinghouse close 2026-10`"
    )


def test_there_is_no_run_beside_another_of_the_month(
    tick: Tick, instance: dg.DagsterInstance
) -> None:
    ended(instance, "backfill", STARTED)
    assert tick("11-04") == "run run-0 of 2026-10 has not ended yet"


def test_what_a_failed_run_left_to_collect_is_asked_for_thrice_at_most(
    month: Month, tick: Tick, instance: dg.DagsterInstance
) -> None:
    """It gave the numbers; its collection was not reached."""
    close_bare(month, MONTH)
    ended(instance, "drafts are due")
    for attempt in (1, 2, 3):
        assert tick("11-04") == [f"collect 2026-10 {attempt}"]
        ended(instance, "left to collect")
    assert "3 runs of 2026-10 have been tried" in tick("11-04")


def test_what_was_asked_for_is_not_asked_for_again(month: Month, tick: Tick) -> None:
    """An attempt without an answer is continued; one that has failed is a person's."""
    close_bare(month, MONTH)
    for invoice in month.ledger.collectable(MONTH):
        month.ledger.open_attempt(invoice, "sandbox", 0)
    assert tick("11-04") == ["collect 2026-10 1"]
    assert month.run("payment_collection").success
    assert tick("11-04") == "no month is open, and nothing is left to collect"


def test_of_closed_months_the_last_three_are_collected(month: Month, tick: Tick) -> None:
    for key in (SEPTEMBER, MONTH, "2026-11", "2026-12"):
        close_bare(month, key)
    assert tick("12-31") == [f"collect {key} 1" for key in (MONTH, "2026-11", "2026-12")]
