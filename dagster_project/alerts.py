"""Two sensors that tell a person by webhook: a run has failed, a month is not billed by 06:00.

Each fact is told at least once: what a receiver does not take is sent again at the next tick, for
a day. Without COUNTINGHOUSE_ALERT_URL nothing is told, and a month that is due is judged as well.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterEventType

from dagster_project import due
from dagster_project.automation import SENSORS_RUN
from dagster_project.environment import Environment
from dagster_project.resources import LedgerResource, now_ms
from dagster_project.webhook import Alert, post
from schemas.errors import BillingError
from schemas.period import from_ms

PATIENCE = timedelta(days=1)
PATIENCE_MS = PATIENCE // timedelta(milliseconds=1)
AT_ONCE = 20
"""Runs that are told of in a tick."""
OFF = dg.SkipReason("COUNTINGHOUSE_ALERT_URL is not set: nobody is told")
WILL_RETRY = "dagster/will_retry"


@dg.sensor(minimum_interval_seconds=30, default_status=SENSORS_RUN)
def run_failed(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Tell of each run that has failed: which month and step, and why.

    A run that Dagster starts again by itself is told of when it fails again.
    """
    if not Environment().alert_url:
        return OFF
    told = 0
    for record in _failed_since(context.instance, context.cursor):
        run = record.dagster_run
        try:
            if run.tags.get(WILL_RETRY) != "true":
                post(failure_of(context.instance, record))
                told += 1
        except BillingError as reason:
            return dg.SkipReason(f"{reason}; it is sent again")
        context.update_cursor(record.update_timestamp.isoformat())
    return dg.SkipReason(f"told of {told} failed runs" if told else "no further run has failed")


@dg.sensor(minimum_interval_seconds=600, default_status=SENSORS_RUN)
def month_overdue(
    context: dg.SensorEvaluationContext, ledger: LedgerResource
) -> dg.SkipReason | dg.SensorResult:
    """Judge the check billed_by_six of the month that is due, and tell once when it fails.

    It is judged when its answer is another than before, so a month billed late turns green.
    """
    month = due.month_due(now_ms())
    try:
        with ledger.open() as books:
            reason = due.why_unbilled(month, books)
    except BillingError as refused:
        return dg.SkipReason(str(refused))
    said = f"{month} is overdue: {reason}" if reason else f"{month} is billed"
    if context.cursor == said:
        return dg.SkipReason(said)
    judged = [due.evaluation(month, reason)]
    try:
        told = _tell_overdue(month, reason) if reason else ""
    except BillingError as refused:
        again = f"{said}; {refused}; it is sent again"
        return dg.SensorResult(skip_reason=again, asset_events=judged)
    return dg.SensorResult(skip_reason=f"{said}{told}", cursor=said, asset_events=judged)


def _tell_overdue(month: str, reason: str) -> str:
    if not Environment().alert_url:
        return f"; {OFF.skip_message}"
    data = {"month": month, "reason": reason}
    post(Alert(f"month_overdue_{month}", "billing.month_overdue", now_ms(), data))
    return "; it was told"


def failure_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> Alert:
    """A failed run as it is told; the checks that stopped it, or else its step's error."""
    run = record.dagster_run
    data = {
        "run_id": run.run_id,
        "job": run.job_name,
        "month": run.tags.get("dagster/partition", ""),
        "reason": "; ".join(reasons(instance, run.run_id)) or "the run's process ended",
    }
    at_ms = int(record.update_timestamp.timestamp()) * 1000
    return Alert(f"run_failed_{run.run_id}", "billing.run_failed", at_ms, data)


def reasons(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Why a run has failed: each sentence once, behind the checks or else the steps that say it."""
    checks: dict[str, list[str]] = defaultdict(list)
    steps: dict[str, list[str]] = defaultdict(list)
    for entry in instance.all_logs(
        run_id,
        of_type={DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.STEP_FAILURE},
    ):
        event = entry.dagster_event
        if event is None:
            continue
        if event.event_type is DagsterEventType.STEP_FAILURE:
            steps[_step_failure(event)].append(str(event.step_key))
            continue
        check = event.asset_check_evaluation_data
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            checks[check.description or ""].append(check.check_name.replace("_", " "))
    return [f"{', '.join(names)}: {said}" for said, names in (checks or steps).items()]


def _step_failure(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    cause = error.cause if error and error.cause else error
    _, _, message = (cause.message if cause else "").partition(": ")
    words = message.strip().splitlines() or ["it failed"]
    return words[0]


def _failed_since(instance: dg.DagsterInstance, cursor: str | None) -> Iterator[dg.RunRecord]:
    oldest = from_ms(now_ms() - PATIENCE_MS)
    after = max(oldest, datetime.fromisoformat(cursor)) if cursor else oldest
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=after)
    yield from instance.get_run_records(
        failed, limit=AT_ONCE, order_by="update_timestamp", ascending=True
    )
