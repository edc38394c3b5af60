"""What happens by itself: two jobs, and the two sensors that ask for them.

No run waits: a sensor asks every five minutes whether the month may be closed, says why not, and
requests the run once. They run by themselves in production only.
"""

import os
from datetime import timedelta

import dagster as dg

from dagster_project.charges import charges, prorations
from dagster_project.collection import payment_collection
from dagster_project.environment import Environment
from dagster_project.invoices import finalized_invoices, invoices, reconciliation
from dagster_project.resources import (
    LedgerResource,
    LogResource,
    WarehouseResource,
    now_ms,
)
from dagster_project.usage import CODE_VERSION, monthly_usage
from pipelines.closing import ask_closing
from pipelines.completeness import cut, ensure_over
from schemas.closing import Closing, ClosingState
from schemas.errors import BillingError
from schemas.period import BillingPeriod, format_instant
from schemas.ports import Log, UsageReader

FIVE_MINUTES = timedelta(minutes=5)
FIVE_MINUTES_MS = FIVE_MINUTES // timedelta(milliseconds=1)
RUNNING_IN_PRODUCTION = (
    dg.DefaultSensorStatus.RUNNING
    if os.environ.get("COUNTINGHOUSE_PRODUCTION", "").lower() in ("1", "true")
    else dg.DefaultSensorStatus.STOPPED
)
"""Decided when definitions are loaded; a switch in the UI overrides it for good."""

close_month = dg.define_asset_job(
    "close_month",
    selection=[monthly_usage, charges, prorations, invoices, reconciliation],
    description="From the month's usage to reconciled draft invoices.",
)
finalize_and_collect = dg.define_asset_job(
    "finalize_and_collect",
    selection=[finalized_invoices, payment_collection],
    description="Number the drafts that nothing holds back, and collect them.",
)


@dg.sensor(
    job=close_month,
    minimum_interval_seconds=int(FIVE_MINUTES.total_seconds()),
    default_status=RUNNING_IN_PRODUCTION,
)
def month_end(
    ledger: LedgerResource, warehouse: WarehouseResource, log: LogResource
) -> dg.RunRequest | dg.SkipReason:
    """Close the month before this one, as soon as it is complete."""
    month = month_before(now_ms())
    grace_ms = max(Environment().close_grace_ms, FIVE_MINUTES_MS)
    try:
        ensure_over(month, now_ms(), grace_ms)
        with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
            version = CODE_VERSION
            closing = ask_closing(
                month, books, usage_log, now_ms, code_version=version, grace_ms=grace_ms
            )
            return request_close(closing, usage_log, usage)
    except BillingError as reason:
        return dg.SkipReason(str(reason))


@dg.sensor(
    job=finalize_and_collect,
    minimum_interval_seconds=int(FIVE_MINUTES.total_seconds()),
    default_status=RUNNING_IN_PRODUCTION,
)
def drafts_due(ledger: LedgerResource) -> dg.RunRequest | dg.SkipReason:
    """Finalize and collect the drafts when their time for review is over."""
    month = month_before(now_ms())
    try:
        with ledger.open() as books:
            is_reconciled = bool(books.reconciliation(month))
            closing = books.closing(month)
    except BillingError as reason:
        return dg.SkipReason(str(reason))
    return request_finalize(
        month, closing, now_ms(), Environment().draft_period_ms, is_reconciled=is_reconciled
    )


def month_before(instant_ms: int) -> str:
    """The month before the one that holds an instant."""
    return BillingPeriod.month_of(BillingPeriod.month_of(instant_ms).start_ms - 1).key


def request_close(closing: Closing, log: Log, usage: UsageReader) -> dg.RunRequest | dg.SkipReason:
    """Ask for the run of a complete month. Raises PeriodNotComplete."""
    month = closing.month
    if closing.state is not ClosingState.AWAITING:
        return dg.SkipReason(f"{month} was opened {format_instant(closing.opened_ms)}")
    cut(closing.vector, log, usage)
    return dg.RunRequest(run_key=f"close {month}", partition_key=month, tags=tags(month, "sensor"))


def request_finalize(
    month: str,
    closing: Closing | None,
    at_ms: int,
    draft_period_ms: int,
    *,
    is_reconciled: bool,
) -> dg.RunRequest | dg.SkipReason:
    """Ask for the run when reconciled drafts have been there for the draft period."""
    if closing is None or not is_reconciled:
        return dg.SkipReason(f"{month} has no reconciled drafts")
    if closing.state is ClosingState.CLOSED:
        return dg.SkipReason(f"{month} is closed")
    due_ms = closing.opened_ms + draft_period_ms
    if at_ms < due_ms:
        return dg.SkipReason(f"drafts of {month} may be looked at until {format_instant(due_ms)}")
    return dg.RunRequest(
        run_key=f"finalize {month}", partition_key=month, tags=tags(month, "sensor")
    )


def tags(month: str, reason: str) -> dict[str, str]:
    """How a run is found in the list of runs."""
    return {"billing/period": month, "billing/mode": "live", "billing/reason": reason}
