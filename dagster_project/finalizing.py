"""What of invoices happens by itself: drafts are finalized in time, what was left is collected.

A sensor looks at every open month, and at the last closed ones; each run is tried a few times.
"""

import dagster as dg

from dagster_project.automation import (
    FIVE_MINUTES,
    MOST_RUNS,
    SENSORS_RUN,
    finalize_and_collect,
    requested,
    tags,
    unfinished,
)
from dagster_project.environment import Environment
from dagster_project.resources import LedgerResource, now_ms
from schemas.closing import Closing, ClosingState
from schemas.errors import BillingError
from schemas.period import format_instant
from stores.ledger import Ledger

MONTHS_COLLECTED = 3
"""Closed months whose uncollected invoices are asked for; those of older ones are a person's."""
_REASONS = {"finalize": "drafts are due", "collect": "left to collect"}
"""Why a run is requested, by what it is for; runs are counted by it."""


@dg.sensor(
    job=finalize_and_collect,
    minimum_interval_seconds=int(FIVE_MINUTES.total_seconds()),
    default_status=SENSORS_RUN,
)
def drafts_due(
    context: dg.SensorEvaluationContext, ledger: LedgerResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Finalize and collect drafts when their time for review is over, and what was left."""
    try:
        with ledger.open() as books:
            said = [ask(each, books, context.instance) for each in in_work(books)]
    except BillingError as reason:
        return dg.SkipReason(str(reason))
    reasons = [each.skip_message or "" for each in said if isinstance(each, dg.SkipReason)]
    nothing = "no month is open, and nothing is left to collect"
    requests = [each for each in said if isinstance(each, dg.RunRequest)]
    return requests or dg.SkipReason("; ".join(reasons) or nothing)


def in_work(books: Ledger) -> list[Closing]:
    """Open months, and of the last closed ones those with something to collect, in order."""
    opened = sorted(books.opened_closings(), key=lambda each: each.month)
    closed = [each for each in opened if each.state is ClosingState.CLOSED]
    done = {each.month for each in closed[:-MONTHS_COLLECTED]}
    done |= {it.month for it in closed[-MONTHS_COLLECTED:] if not books.leaves_to_collect(it.month)}
    return [each for each in opened if each.month not in done]


def ask(
    closing: Closing, books: Ledger, instance: dg.DagsterInstance
) -> dg.RunRequest | dg.SkipReason:
    """Request a month's run, or say why not."""
    month, is_open = closing.month, closing.state is ClosingState.OPEN
    why = unfinished(month, instance) or (why_not_due(closing, books) if is_open else None)
    if why is not None:
        return dg.SkipReason(why)
    what = "finalize" if is_open else "collect"
    tried = requested(month, _REASONS[what], instance)
    if tried >= MOST_RUNS:
        remedy = f"mend the cause and run `countinghouse close {month}`"
        return dg.SkipReason(f"{tried} runs of {month} have been tried; {remedy}")
    # A key is used up by a run that fails, too.
    key = f"{what} {month} {tried + 1}"
    return dg.RunRequest(run_key=key, partition_key=month, tags=tags(month, _REASONS[what]))


def why_not_due(closing: Closing, books: Ledger) -> str | None:
    """Why the drafts of an open month are not finalized yet."""
    month, due_ms = closing.month, closing.opened_ms + Environment().draft_period_ms
    if not books.is_reconciled(month):
        return f"{month} has no reconciled drafts"
    try:
        books.check_drafts(month)
    except BillingError as reason:
        return str(reason)
    if now_ms() < due_ms:
        return f"drafts of {month} may be looked at until {format_instant(due_ms)}"
    unapproved = books.unapproved(month) if Environment().approval else 0
    return waiting(month, unapproved) if unapproved else None


def waiting(month: str, unapproved: int) -> str:
    """What a month waits for whose drafts are to be approved."""
    drafts = "1 draft waits" if unapproved == 1 else f"{unapproved:,} drafts wait"
    return f"{drafts} for approval; run `countinghouse invoices approve {month} --all --why WHY`"
