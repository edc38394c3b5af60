"""What happens by itself: the jobs, and the schedule of the month's end; see `finalizing`, too.

No run waits: the schedule asks from 00:05 UTC on the 1st whether the month before may be closed,
says why not, and asks again. Everything here runs by itself in production only.
"""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from dagster_project.charges import charges, prorations
from dagster_project.code_version import CODE_VERSION
from dagster_project.collection import payment_collection
from dagster_project.due import billed_by_six
from dagster_project.environment import Environment
from dagster_project.glances import month_before
from dagster_project.invoices import finalized_invoices, invoices, reconciliation
from dagster_project.month_bundle import month_bundle
from dagster_project.resources import (
    LedgerResource,
    LogResource,
    WarehouseResource,
    now_ms,
)
from dagster_project.usage import monthly_usage
from pipelines.checks.completeness import cut, ensure_over
from pipelines.close.opening import ask_closing
from schemas.closing import Closing, ClosingState
from schemas.errors import BillingError
from schemas.period import format_instant
from schemas.ports import Log, UsageReader

FIVE_MINUTES = timedelta(minutes=5)
FIVE_MINUTES_MS = FIVE_MINUTES // timedelta(milliseconds=1)
MONTH_END = ["5-55/5 0 1 * *", "*/5 1-23 1 * *", "0 * 2-31 * *"]
"""From 00:05 on the 1st every five minutes; what is not complete by the 2nd, every hour."""
MOST_RUNS = 3
"""Runs that are requested of a month for one reason; then a person looks, and runs it by hand."""
COLLECTING_SECONDS = 12 * 3600
"""After so long a run that collects is ended: a hundred thousand charges take 80 minutes."""
IS_PRODUCTION = os.environ.get("COUNTINGHOUSE_PRODUCTION", "").lower() in ("1", "true")
"""Decided when definitions are loaded; a switch in the UI overrides it for good."""
SCHEDULES_RUN = (
    dg.DefaultScheduleStatus.RUNNING if IS_PRODUCTION else dg.DefaultScheduleStatus.STOPPED
)
SENSORS_RUN = dg.DefaultSensorStatus.RUNNING if IS_PRODUCTION else dg.DefaultSensorStatus.STOPPED

close_month = dg.define_asset_job(
    "close_month",
    selection=dg.AssetSelection.assets(monthly_usage, charges, prorations, invoices, reconciliation)
    - dg.AssetSelection.checks(billed_by_six),
    description="From the month's usage to reconciled draft invoices.",
)
finalize_and_collect = dg.define_asset_job(
    "finalize_and_collect",
    selection=[finalized_invoices, payment_collection, month_bundle],
    description="Number the drafts that nothing holds back, collect them, and write the bundle.",
    tags={"dagster/max_runtime": COLLECTING_SECONDS},
)


@dg.schedule(
    job=close_month,
    cron_schedule=MONTH_END,
    execution_timezone="UTC",
    default_status=SCHEDULES_RUN,
)
def month_end(
    context: dg.ScheduleEvaluationContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.RunRequest | dg.SkipReason:
    """Close the month before, from 00:05 UTC on the 1st; asked again until it is complete."""
    month = month_of_tick(context.scheduled_execution_time)
    return ask(month, context.instance, ledger, warehouse, log)


def month_of_tick(scheduled: datetime) -> str:
    """The month before the tick: one that comes late still closes the month it was meant for."""
    return month_before(f"{scheduled:%Y-%m}")


def ask(
    month: str,
    instance: dg.DagsterInstance,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.RunRequest | dg.SkipReason:
    """Request the month's run, or say why not."""
    grace_ms = max(Environment().close_grace_ms, FIVE_MINUTES_MS)
    try:
        ensure_over(month, now_ms(), grace_ms)
        with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
            version = CODE_VERSION
            closing = ask_closing(
                month, books, usage_log, now_ms, code_version=version, grace_ms=grace_ms
            )
            return why_not(month, closing, instance) or request_close(closing, usage_log, usage)
    except BillingError as reason:
        return dg.SkipReason(str(reason))


def why_not(month: str, closing: Closing, instance: dg.DagsterInstance) -> dg.SkipReason | None:
    """Why no run is requested of a month, whether or not it is complete."""
    if closing.state is not ClosingState.AWAITING:
        return dg.SkipReason(f"{month} was opened {format_instant(closing.opened_ms)}")
    if there := unfinished(month, instance):
        return dg.SkipReason(there)
    asked = requested(month, "schedule", instance)
    if asked >= MOST_RUNS:
        remedy = "mend the cause and launch close_month"
        return dg.SkipReason(f"{asked} runs of {month} have failed before they began; {remedy}")
    return None


def unfinished(month: str, instance: dg.DagsterInstance) -> str | None:
    """Which run of a month has not ended yet, if there is one, whoever has launched it."""
    going = [run for run in _runs(month, instance) if not run.is_finished]
    return f"run {going[0].run_id} of {month} has not ended yet" if going else None


def requested(month: str, reason: str, instance: dg.DagsterInstance) -> int:
    """How many runs of a month were requested for a reason so far."""
    return sum(run.tags.get("billing/reason") == reason for run in _runs(month, instance))


def _runs(month: str, instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    return instance.get_runs(dg.RunsFilter(tags={"dagster/partition": month}))


def request_close(closing: Closing, log: Log, usage: UsageReader) -> dg.RunRequest:
    """Ask for the run of a complete month. Raises PeriodNotComplete."""
    month = closing.month
    cut(closing.vector, log, usage)
    return dg.RunRequest(
        run_key=f"close {month}", partition_key=month, tags=tags(month, "schedule")
    )


def tags(month: str, reason: str) -> dict[str, str]:
    """How a run is found in the list of runs."""
    return {"billing/period": month, "billing/mode": "live", "billing/reason": reason}
