"""The month that is due: the one before the running one, from six o'clock on the 1st in UTC.

Dagster's freshness asks when an asset was made last, of whatever month; this asks of this month.
"""

from datetime import timedelta

import dagster as dg

from dagster_project import metadata
from dagster_project.glances import month_before
from dagster_project.invoices import reconciliation
from dagster_project.resources import LedgerResource, now_ms
from schemas.closing import Closing, ClosingState
from schemas.period import BillingPeriod
from stores.ledger import Ledger

DUE_MS = timedelta(hours=6) // timedelta(milliseconds=1)
"""From the month's end until its drafts must be reconciled."""


def month_due(at_ms: int) -> str:
    """The last month whose six o'clock has come."""
    return month_before(BillingPeriod.month_of(at_ms - DUE_MS).key)


def why_unbilled(month: str, books: Ledger) -> str | None:
    """What a month without reconciled invoices waits for; None: it has them."""
    return None if books.is_reconciled(month) else what_it_waits_for(books.closing(month))


def what_it_waits_for(closing: Closing | None) -> str:
    """Where a month has come to that has no reconciled invoices."""
    if closing is None:
        return "nobody has asked for it: is the schedule month_end running?"
    if closing.state is ClosingState.AWAITING:
        return "landing or counters have not read it all: see the last tick of month_end"
    return "its run has not come to reconciled invoices: see the runs of close_month"


# Not of a run's month, but of the one that is due: a backfill of others makes it no better.
@dg.asset_check(asset=reconciliation)
def billed_by_six(
    _context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """The month before has reconciled invoices by 06:00 UTC on the 1st.

    The sensor month_overdue judges it whenever its answer changes.
    """
    month = month_due(now_ms())
    with ledger.open() as books:
        return verdict(month, why_unbilled(month, books))


def verdict(month: str, reason: str | None) -> dg.AssetCheckResult:
    """What the check says of a month that is due."""
    findings = [f"{month} is not billed: {reason}"] if reason else []
    return metadata.verdict(findings, f"{month} is billed", metadata={"month": month})


def evaluation(month: str, reason: str | None) -> dg.AssetCheckEvaluation:
    """The same, from outside a run."""
    said = verdict(month, reason)
    return dg.AssetCheckEvaluation(
        asset_key=reconciliation.key,
        check_name="billed_by_six",
        passed=said.passed,
        severity=said.severity,
        description=said.description,
        metadata=said.metadata,
    )
