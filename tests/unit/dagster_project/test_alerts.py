"""Telling a person: of a run that failed and why, of a month that is not billed by 06:00."""

import base64
import hmac
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import alerts
from dagster_project.definitions import defs
from schemas.closing import Closing, ClosingState
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
) -> tuple[str, str | None]:
    """What the sensor of overdue months says at an instant, and its cursor afterwards."""
    monkeypatch.setattr(alerts, "now_ms", lambda: at(now))
    ledger = {"ledger": month.resources()["ledger"]}
    with dg.build_sensor_context(cursor=cursor, resources=ledger) as context:
        said = alerts.month_overdue(context)
        assert isinstance(said, dg.SkipReason)
        return said.skip_message or "", context.cursor


def test_a_month_that_is_not_billed_by_six_is_told_once(
    month: Month, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is due 2026-11-01T06:00:00Z" in overdue(month, monkeypatch, "11-01 05:59")[0]
    assert receiver.came == []
    said, cursor = overdue(month, monkeypatch, "11-01 06:00")
    assert "is the schedule month_end running?" in said
    assert [body["data"]["month"] for body in receiver.bodies] == ["2026-10"]
    assert overdue(month, monkeypatch, "11-01 06:10", cursor)[0] == "2026-10 was told of"
    assert len(receiver.came) == 1


def test_a_billed_month_is_not_overdue(
    month: Month, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    month.run(*CLOSE)
    assert overdue(month, monkeypatch, "11-01 06:00")[0] == "2026-10 is billed"
    assert receiver.came == []


@pytest.mark.parametrize(
    ("closing", "said"),
    [
        (None, "nobody has asked"),
        (replace(OPENED, state=ClosingState.AWAITING), "have not read it all"),
        (OPENED, "has not come to reconciled invoices"),
    ],
)
def test_it_says_what_an_unbilled_month_waits_for(closing: Closing | None, said: str) -> None:
    assert said in alerts.why_unbilled(closing)
