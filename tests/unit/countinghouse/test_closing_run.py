"""Closing from the command line: Dagster's runs in this process, told in lines, failing in one."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from socket import gethostname

import dagster as dg
import pytest
from typer.testing import CliRunner

from countinghouse.cli.app import app
from countinghouse.cli.close import tell
from countinghouse.closing_run import (
    CloseResult,
    check_month,
    close_month,
    dagster_environment,
    pay_month,
)
from countinghouse.dagster_runs import RunRequest, run_job
from countinghouse.settings import Settings
from dagster_project.resources import PROCESS_TAG
from payments.registry import Providers
from pipelines.collection import Collected
from schemas.errors import (
    BillingError,
    InvalidInput,
    NotFound,
    PeriodNotComplete,
    PeriodNotOver,
    ReconciliationFailed,
)
from schemas.reversal import Reversal, ReversalKind, ReversalState
from schemas.vector import Vector
from tests.builders import at, units
from tests.fake_warehouse import Used
from tests.unit.dagster_project.months import MONTH, Month, a_month
from tests.unit.payments.fakes import Killed

pytestmark = pytest.mark.integration  # each loads Dagster's instance and runs its jobs


@pytest.fixture
def month(tmp_path: Path) -> Month:
    month = a_month(tmp_path)
    month.provider.decides_at_once = True
    return month


@pytest.fixture
def settings(tmp_path: Path, month: Month) -> Settings:
    return Settings(home=tmp_path, ledger=month.url)


def run(settings: Settings, month: Month, job: str) -> list[str]:
    """A run's lines."""
    lines: list[str] = []
    with dagster_environment(settings) as home:
        run_job(home, RunRequest(job, MONTH), lines.append, month.resources())
    return lines


def test_in_production_runs_are_kept_where_the_ui_looks(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "production"))
    with dagster_environment(settings) as home:
        assert home == tmp_path / "dagster"
    in_production = settings.model_copy(update={"production": True})
    with dagster_environment(in_production) as home:
        assert home == tmp_path / "production"
        assert os.environ["DAGSTER_HOME"] == str(home)


def test_a_run_tells_each_step_and_check_in_a_line(settings: Settings, month: Month) -> None:
    lines = run(settings, month, "close_month")
    assert "invoices: subscriptions 2, finalized left alone 0, total usd 178.97" in lines
    assert "  ok: lines sum to totals: 2 invoices add up" in lines


def test_what_is_worth_a_look_is_told_at_the_end_with_its_command(
    settings: Settings, month: Month, capsys: pytest.CaptureFixture[str]
) -> None:
    used = Used("stranger", "tokens", at("10-05"), units(100), offset=4)
    month.warehouse.events.append(used)
    with dagster_environment(settings) as home:
        ended = run_job(home, RunRequest("close_month", MONTH), ignore, month.resources())
    assert ended.warnings == (
        "usage has a subscription: stranger: 100 tokens, no subscription; "
        f"see `countinghouse usage unbilled {MONTH}`",
    )
    collected = Collected(0, 0, 0)
    tell(CloseResult(MONTH, False, None, {}, {}, {}, collected, {}, (), ended.warnings), None)
    assert f"worth a look: {ended.warnings[0]}" in capsys.readouterr().out


def ignore(line: str) -> None:
    """A line that nobody reads."""


def test_its_runs_are_those_that_the_ui_shows(settings: Settings, month: Month) -> None:
    run(settings, month, "close_month")
    with (
        dagster_environment(settings) as home,
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        [record] = instance.get_runs()
        done = instance.get_materialized_partitions(dg.AssetKey("invoices"))
    assert (record.job_name, record.status) == ("close_month", dg.DagsterRunStatus.SUCCESS)
    assert record.tags["billing/period"] == record.tags["dagster/partition"] == MONTH
    assert done == {MONTH}


def test_a_run_whose_process_was_killed_is_ended_by_the_next(
    settings: Settings, month: Month
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    tags = {"killed": f"{gethostname()}:{gone.pid}", "elsewhere": f"another-host:{gone.pid}"}
    with (
        dagster_environment(settings) as home,
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        for name, process in tags.items():
            status = dg.DagsterRunStatus.STARTED
            instance.add_run(
                dg.DagsterRun("close_month", name, status=status, tags={PROCESS_TAG: process})
            )
        run(settings, month, "close_month")
        statuses = {record.run_id: record.status for record in instance.get_runs()}
    assert statuses["killed"] is dg.DagsterRunStatus.FAILURE
    assert statuses["elsewhere"] is dg.DagsterRunStatus.STARTED


def test_what_a_step_raises_is_raised_again_with_its_own_words(
    settings: Settings, month: Month
) -> None:
    month.log.landing = Vector({(1, 0): 7})
    with pytest.raises(PeriodNotComplete, match=r"^landing: partition 0: 3 records behind"):
        run(settings, month, "close_month")


def test_a_check_that_stops_the_run_is_a_failed_reconciliation(
    settings: Settings, month: Month
) -> None:
    month.warehouse.events = [replace(used, counted=False) for used in month.warehouse.events]
    with pytest.raises(ReconciliationFailed, match=r"^counters match warehouse: design, \w*tokens"):
        run(settings, month, "close_month")


def test_a_closed_month_is_left_alone_and_shown(settings: Settings, month: Month) -> None:
    run(settings, month, "close_month")
    run(settings, month, "finalize_and_collect")
    before = month.contents()
    result = close_month(settings, MONTH, print)
    assert (result.nothing_to_do, result.runs) == (True, ())
    assert result.invoices == {"paid": 2}
    assert result.totals_minor == {"USD": 17897}
    assert (result.collected.succeeded, result.collected.open) == (2, 0)
    assert month.contents() == before
    assert result.received_minor == {"USD": 17897}


@pytest.mark.parametrize(("held", "unapproved"), [({"acme": "a call is due"}, 0), ({}, 2)])
def test_a_close_that_holds_or_waits_is_done_in_part(
    monkeypatch: pytest.MonkeyPatch, held: dict[str, str], unapproved: int
) -> None:
    whole = CloseResult(MONTH, False, None, {}, {}, {}, Collected(0, 0, 0))
    monkeypatch.setattr("countinghouse.bundling.bundle_closed", lambda *_: None)
    said = {"result": whole}
    monkeypatch.setattr("countinghouse.closing_run.close_month", lambda *_, **__: said["result"])
    assert CliRunner().invoke(app, ["close", MONTH]).exit_code == 0
    said["result"] = replace(whole, held=held, unapproved=unapproved)
    for options in ([], ["--json"]):
        assert CliRunner().invoke(app, ["close", MONTH, *options]).exit_code == 3


def test_drafts_that_wait_for_approval_are_counted(settings: Settings, month: Month) -> None:
    run(settings, month, "close_month")
    asking = settings.model_copy(update={"approval": True})
    with dagster_environment(asking):
        month.ledger.ask_for_approval(MONTH)
    run(settings, month, "finalize_and_collect")
    result = close_month(asking, MONTH, ignore)
    assert (result.unapproved, result.is_whole) == (2, False)


def test_paying_where_nothing_is_owed_asks_what_went_back(
    settings: Settings, month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(settings, month, "close_month")
    run(settings, month, "finalize_and_collect")
    said: list[str] = []
    first = pay_month(settings, MONTH, said.append)
    assert (first.nothing_to_do, first.received_minor) == (True, {"USD": 17897})
    assert said[0].startswith("what went back at sandbox is not known: the payment sandbox at")
    attempt = month.ledger.attempts(MONTH)[0]
    told = ("re_1", ReversalKind.REFUND, ReversalState.SETTLED, 1000, "USD", 2**42)
    month.provider.went_back["re_1"] = Reversal(attempt.reference or "", *told)
    configured = Providers({"sandbox": month.provider})
    monkeypatch.setattr(Providers, "from_settings", lambda _: configured)
    assert pay_month(settings, MONTH, print).received_minor == {"USD": 16897}


def test_killed_while_it_collects_it_goes_on_with_the_same_charge(
    settings: Settings, month: Month
) -> None:
    run(settings, month, "close_month")
    month.provider.trouble = Killed()
    with pytest.raises(BillingError, match="payment_collection failed with Killed"):
        run(settings, month, "finalize_and_collect")
    run(settings, month, "finalize_and_collect")
    assert len(month.provider.payments) == 2
    assert close_month(settings, MONTH, print).invoices == {"paid": 2}


@pytest.mark.parametrize(
    ("key", "error", "said"),
    [
        ("2026-13", InvalidInput, "not a month"),
        ("october", InvalidInput, "write it like"),
        ("2019-12", InvalidInput, "before 2020-01"),
        ("9999-11", PeriodNotOver, "may be closed from 9999-12-01T01:00:00Z"),
    ],
)
def test_what_cannot_be_closed_is_said_before_anything_runs(
    settings: Settings, key: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        close_month(settings, key, print)
    assert not (settings.home / "dagster").exists()


def test_paying_needs_a_closed_month(settings: Settings) -> None:
    with pytest.raises(NotFound, match="run `countinghouse close 2026-09`"):
        pay_month(settings, "2026-09", print)


def test_the_environment_is_as_before(settings: Settings) -> None:
    before = dict(os.environ)
    with dagster_environment(settings):
        assert os.environ["COUNTINGHOUSE_LEDGER"] == settings.ledger
    assert dict(os.environ) == before


def test_a_month_is_read_as_its_period() -> None:
    assert check_month("2026-10").key == "2026-10"
