"""A month that a check stopped: the cause is mended, the run goes on from where it failed."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import defs
from schemas.closing import ClosingState
from tests.unit.dagster_project.months import COLLECT, MONTH, Month, a_month

FIXTURES: list[Month] = []
"""The month that the job is of: Dagster makes the job anew for each run."""


def close_job() -> dg.JobDefinition:
    """The job of the definitions, on the test's resources."""
    resources = {**(defs.resources or {}), **FIXTURES[-1].resources()}
    of_test = dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        jobs=defs.jobs,
        resources=resources,
        executor=defs.executor,
    )
    return of_test.resolve_job_def("close_month")


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setattr("dagster_project.collection.PAUSE_MS", 1)
    month = a_month(tmp_path)
    month.provider.decides_at_once = True
    FIXTURES.append(month)
    return month


def test_a_run_that_a_check_stopped_goes_on_from_there_once_the_cause_is_mended(
    month: Month,
) -> None:
    whole = month.warehouse.events
    month.warehouse.events = [replace(used, counted=False) for used in whole]
    job = dg.reconstructable(close_job)
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {"dagster/partition": MONTH}
        with dg.execute_job(job, instance, tags=tags) as stopped:
            assert not stopped.success
        month.warehouse.events = whole
        again = dg.ReexecutionOptions.from_failure(stopped.run_id, instance)
        with dg.execute_job(job, instance, tags=tags, reexecution_options=again) as went_on:
            assert went_on.success
            steps = {event.step_key for event in went_on.get_step_success_events()}
    assert "monthly_usage" not in steps
    assert {"monthly_usage_counters_match_warehouse", "charges", "reconciliation"} <= steps
    assert month.run(*COLLECT).success
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    assert closing.state is ClosingState.CLOSED
    totals = {i.tenant: i.total_minor for i in month.ledger.invoices(MONTH)}
    assert totals == {"design": 2736, "upgrade": 15161}
