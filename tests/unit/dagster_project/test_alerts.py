"""Telling a person: of a run that failed and why, of a month that is not billed by 06:00."""

import base64
import hmac
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from dagster_project import alerts, due
from dagster_project.definitions import defs
from schemas.closing import Closing, ClosingState
from schemas.errors import NotFound
from schemas.vector import Vector
from tests.builders import at
from tests.unit.dagster_project.months import CLOSE, MONTH, Month, a_month
from tests.unit.dagster_project.receivers import Receiver, a_receiver

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OPENED = Closing(MONTH, Vector(), 1, "1", at("11-01 01:05"))


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return a_month(tmp_path)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with a_receiver() as listening:
        monkeypatch.setenv("COUNTINGHOUSE_ALERT_URL", listening.url)
        monkeypatch.setenv("COUNTINGHOUSE_NOTIFY_SECRET", SECRET)
        yield listening


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def is_genuine(headers: dict[str, str], body: bytes) -> bool:
    """As docs/webhooks.md tells receivers to check it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    return expected in headers["webhook-signature"].split()


def fail(month: Month, instance: dg.DagsterInstance) -> str:
    """A close that a check stops; the run's id."""
    month.warehouse.events = [replace(used, counted=False) for used in month.warehouse.events]
    result = defs.resolve_job_def("close_month").execute_in_process(
        instance=instance,
        partition_key=MONTH,
        resources={n: r for n, r in month.resources().items() if n != "providers"},
        raise_on_error=False,
    )
    assert not result.success
    return result.run_id


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[str, str | None]:
    """What the sensor of failed runs says, and its cursor afterwards."""
    with dg.build_sensor_context(instance, cursor) as context:
        said = alerts.run_failed(context)
        assert isinstance(said, dg.SkipReason)
        return said.skip_message or "", context.cursor


def test_a_failed_run_is_told_once_with_month_and_reason_and_signed(
    month: Month, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    run = fail(month, instance)
    said, cursor = tick(instance)
    assert said == "told of 1 failed runs"
    [(headers, body)] = receiver.came
    assert is_genuine(headers, body)
    assert headers["webhook-id"] == f"run_failed_{run}"
    [told] = receiver.bodies
    assert told["type"] == "billing.run_failed"
    assert (told["data"]["month"], told["data"]["job"]) == ("2026-10", "close_month")
    assert told["data"]["reason"].startswith(
        "counters match warehouse: design, tokens: the counter"
    )
    assert tick(instance, cursor) == ("no further run has failed", cursor)
    assert len(receiver.came) == 1


def test_what_three_checks_say_alike_is_told_once(instance: dg.DagsterInstance) -> None:
    @dg.asset
    def drafts() -> None: ...

    def a_check(name: str) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=drafts, name=name, blocking=True)
        def check() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=False, description="there is no invoice")

        return check

    @dg.asset(deps=[drafts])
    def stops() -> None:
        raise NotFound("nobody is there")

    checks = [a_check("one_each"), a_check("sums_hold")]
    run = dg.materialize([drafts, *checks], instance=instance, raise_on_error=False)
    [said] = alerts.reasons(instance, run.run_id)
    assert said == "one each, sums hold: there is no invoice"
    run = dg.materialize([stops], instance=instance, raise_on_error=False)
    assert alerts.reasons(instance, run.run_id) == ["stops: nobody is there"]


def test_what_a_receiver_does_not_take_is_sent_again_with_the_same_id(
    month: Month, receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    fail(month, instance)
    receiver.answers = [503]
    said, cursor = tick(instance)
    assert "HTTP 503; it is sent again" in said
    assert cursor is None
    assert tick(instance, cursor)[0] == "told of 1 failed runs"
    first, second = (headers["webhook-id"] for headers, _ in receiver.came)
    assert first == second


def test_a_run_that_dagster_starts_again_by_itself_is_not_told(
    receiver: Receiver, instance: dg.DagsterInstance
) -> None:
    failed = dg.DagsterRunStatus.FAILURE
    retried = {alerts.WILL_RETRY: "true"}
    instance.add_run(dg.DagsterRun("close_month", "run-1", status=failed, tags=retried))
    assert tick(instance)[0] == "no further run has failed"
    assert receiver.came == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("COUNTINGHOUSE_ALERT_URL", "", "is not set"),
        ("COUNTINGHOUSE_ALERT_URL", "host/alerts", "is not like https://host/path"),
        ("COUNTINGHOUSE_ALERT_URL", "http://127.0.0.1:1/", "was not taken"),
        ("COUNTINGHOUSE_NOTIFY_SECRET", "", "needs a COUNTINGHOUSE_NOTIFY_SECRET"),
        ("COUNTINGHOUSE_NOTIFY_SECRET", "whsec_short", "must be whsec_ and the base64"),
    ],
)
def test_a_wrong_setting_is_said_at_the_tick_and_nothing_is_lost(
    receiver: Receiver,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(variable, value)
    instance.add_run(dg.DagsterRun("close_month", "run-1", status=dg.DagsterRunStatus.FAILURE))
    answer, cursor = tick(instance)
    assert said in answer
    assert cursor is None
    assert receiver.came == []


def overdue(
    month: Month, monkeypatch: pytest.MonkeyPatch, now: str, cursor: str | None = None
) -> tuple[str, str | None, list[tuple[bool, str]]]:
    """What the sensor of overdue months says at an instant, its cursor, and what it judges."""
    monkeypatch.setattr(alerts, "now_ms", lambda: at(now))
    ledger = {"ledger": month.resources()["ledger"]}
    with dg.build_sensor_context(cursor=cursor, resources=ledger) as context:
        said = alerts.month_overdue(context)
    if isinstance(said, dg.SkipReason):
        return said.skip_message or "", cursor, []
    assert isinstance(said, dg.SensorResult)
    assert isinstance(said.skip_reason, dg.SkipReason)
    judged = [e for e in said.asset_events if isinstance(e, dg.AssetCheckEvaluation)]
    told = [(each.passed, each.description or "") for each in judged]
    return said.skip_reason.skip_message or "", said.cursor, told


def test_a_month_that_is_not_billed_by_six_is_red_and_told_once_until_it_is(
    month: Month, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "nobody has asked for it: is the schedule month_end running?"
    before, cursor, _ = overdue(month, monkeypatch, "11-01 05:59")
    assert before.startswith("2026-09 is overdue")
    said, cursor, judged = overdue(month, monkeypatch, "11-01 06:00", cursor)
    assert said == f"2026-10 is overdue: {asked}; it was told"
    assert judged == [(False, f"2026-10 is not billed: {asked}")]
    assert [body["data"]["month"] for body in receiver.bodies] == ["2026-09", "2026-10"]
    assert overdue(month, monkeypatch, "11-01 06:10", cursor)[2] == []
    month.run(*CLOSE)
    said, cursor, judged = overdue(month, monkeypatch, "11-01 06:20", cursor)
    assert (said, judged) == ("2026-10 is billed", [(True, "2026-10 is billed")])
    assert overdue(month, monkeypatch, "11-01 06:30", cursor)[2] == []
    assert len(receiver.came) == 2


def test_a_month_made_since_is_no_excuse_for_the_one_that_is_due(
    month: Month, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    month.run(*CLOSE, key="2026-08")
    assert overdue(month, monkeypatch, "11-01 06:00")[2][0][0] is False


def test_without_an_address_it_is_judged_all_the_same(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, cursor, judged = overdue(month, monkeypatch, "11-01 06:00")
    assert "COUNTINGHOUSE_ALERT_URL is not set: nobody is told" in said
    assert cursor is not None
    assert [passed for passed, _ in judged] == [False]


def test_an_overdue_month_that_no_receiver_took_is_sent_again(
    month: Month, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [503]
    said, cursor, judged = overdue(month, monkeypatch, "11-01 06:00")
    assert "HTTP 503; it is sent again" in said
    assert (cursor, len(judged)) == (None, 1)


def test_what_the_sensor_judges_is_the_check_that_dagster_shows(
    instance: dg.DagsterInstance,
) -> None:
    instance.report_runless_asset_event(due.evaluation("2026-10", "nobody has asked for it"))
    [key] = due.billed_by_six.check_keys
    assert key in defs.resolve_asset_graph().asset_check_keys
    shown = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert shown.status is AssetCheckExecutionRecordStatus.FAILED
    steps = defs.resolve_job_def("close_month").graph.node_dict
    assert not [name for name in steps if "billed_by_six" in name]


@pytest.mark.parametrize(
    ("closing", "said"),
    [
        (None, "nobody has asked"),
        (replace(OPENED, state=ClosingState.AWAITING), "have not read it all"),
        (OPENED, "has not come to reconciled invoices"),
    ],
)
def test_it_says_what_an_unbilled_month_waits_for(closing: Closing | None, said: str) -> None:
    assert said in due.what_it_waits_for(closing)
