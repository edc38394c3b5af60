"""Closing and collecting a month from the command line: Dagster's jobs, run in this process.

The runs are kept in the instance of the local stack, in production in that of `DAGSTER_HOME`, so
Dagster's UI shows them like its own.
What is computed is in `pipelines`, how it is laid out in `dagster_project`.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing as closing_of
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from countinghouse.dagster_runs import RunEnded, RunRequest, run_job
from countinghouse.init import now_ms
from countinghouse.local.dagster_home import ready_home
from countinghouse.local.environment import settings_environment
from countinghouse.settings import Settings
from countinghouse.wiring import provider_settings
from dagster_project import went_back
from dagster_project.finalizing import waiting
from payments.registry import Providers
from pipelines.checks.completeness import ensure_over
from pipelines.collection import Collected, received, summarize
from pipelines.plans.plan_records import record_due_transitions
from schemas.closing import Closing, ClosingState
from schemas.errors import InvalidInput, NotFound
from schemas.invoice import InvoiceState
from schemas.payment import AttemptState
from schemas.period import BillingPeriod, format_instant
from stores import ledger
from stores.ledger import Ledger

Report = Callable[[str], None]
FIRST_MONTH = "2020-01"
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class CloseResult:
    """A month after a run: its invoices by state, what they add up to, what was collected.

    `received_minor` is what payments brought by currency, net of what went back at providers.
    `nothing_to_do` says that it was closed and collected before; `runs` are Dagster's run ids,
    `warnings` what their checks found worth a look, each with the command that lists it.
    `unapproved` drafts wait for somebody's word, where it is needed.
    """

    month: str
    nothing_to_do: bool
    closed_at: str | None
    invoices: Mapping[str, int]
    held: Mapping[str, str]
    totals_minor: Mapping[str, int]
    collected: Collected
    received_minor: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    unapproved: int = 0

    @property
    def is_whole(self) -> bool:
        """Is nobody held, and does nobody wait?"""
        return not self.held and not self.unapproved


def close_month(
    settings: Settings,
    month: str,
    report: Report,
    *,
    without_counters: str | None = None,
    draft_only: bool = False,
) -> CloseResult:
    """Close a month through Dagster: drafts, then numbers, then money; again changes nothing.

    Before that it records what time has done to subscriptions.

    Raises:
        InvalidInput: not a month. PeriodNotOver, PeriodNotComplete: it is too early.
        ReconciliationFailed: a fault that is nobody's; nothing was finalized.
        DependencyUnreachable: a store or a provider does not answer.
        Conflict: another run is at work on the month.
    """
    check_month(month)
    ensure_over(month, now_ms(), settings.close_grace // _MILLISECOND)
    with closing_of(ledger.connect(settings.ledger_url)) as books, books.alone(month) as tell:
        # What was scheduled for the month's end has happened, whoever was awake.
        record_due_transitions(books, now_ms())
        if _is_done(books, month):
            return _result(books, month, (), settings.approval, nothing_to_do=True)
        runs = []
        if not _is_closed(books.closing(month)):
            config = {"monthly_usage": {"without_counters": without_counters or ""}}
            runs.append(_run(settings, RunRequest("close_month", month, config), report, tell))
        if not draft_only and _review_is_over(settings, books, month, report):
            request = RunRequest("finalize_and_collect", month)
            runs.append(_run(settings, request, report, tell))
        return _result(books, month, tuple(runs), settings.approval)


def pay_month(settings: Settings, month: str, report: Report) -> CloseResult:
    """Collect what is still owed of a closed month, also where an attempt has failed.

    Providers are asked what went back of its payments as well, also where nothing is owed.

    Raises:
        NotFound: the month is not closed. DependencyUnreachable, Conflict: as `close_month`.
    """
    check_month(month)
    with closing_of(ledger.connect(settings.ledger_url)) as books, books.alone(month) as tell:
        if not _is_closed(books.closing(month)):
            raise NotFound(f"{month} is not closed; run `countinghouse close {month}`")
        if not books.collectable(month) and not _open_attempts(books, month):
            with closing_of(Providers.from_settings(provider_settings(settings))) as providers:
                went_back.ask(books, providers, month, report)
            return _result(books, month, (), settings.approval, nothing_to_do=True)
        config = {"payment_collection": {"again": True}}
        request = RunRequest("finalize_and_collect", month, config, only="payment_collection")
        run = _run(settings, request, report, tell)
        return _result(books, month, (run,), settings.approval)


def check_month(month: str) -> BillingPeriod:
    """The billing period of a month's key.

    Raises:
        InvalidInput: it is none, or before the first that can be closed.
    """
    try:
        period = BillingPeriod.month(month)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    if month < FIRST_MONTH:
        raise InvalidInput(f"{month} is before {FIRST_MONTH}, the first month that can be closed")
    return period


def _run(settings: Settings, request: RunRequest, report: Report, tell: Report) -> RunEnded:
    tell(f"run {request.run_id}")
    with dagster_environment(settings) as home:
        return run_job(home, request, report)


@contextmanager
def dagster_environment(settings: Settings) -> Iterator[Path]:
    """The settings in this process's environment, and Dagster's home folder with its file."""
    before = dict(os.environ)
    own = before.get("DAGSTER_HOME") if settings.production else None
    home = Path(own) if own else ready_home(settings.home)
    os.environ.update(settings_environment(settings) | {"DAGSTER_HOME": str(home)})
    try:
        yield home
    finally:
        os.environ.clear()
        os.environ.update(before)


def _is_closed(closing: Closing | None) -> bool:
    return closing is not None and closing.state is ClosingState.CLOSED


def _is_done(books: Ledger, month: str) -> bool:
    """Closed, no draft passes by now, and each invoice has been asked for and answered."""
    if not _is_closed(books.closing(month)) or books.passing(month):
        return False
    owed = [i for i in books.collectable(month) if i.state is InvoiceState.FINALIZED]
    return not owed and not _open_attempts(books, month)


def _open_attempts(books: Ledger, month: str) -> int:
    return len(books.attempts(month, (AttemptState.SUBMITTING, AttemptState.PROCESSING)))


def _review_is_over(settings: Settings, books: Ledger, month: str, report: Report) -> bool:
    """Have drafts been there for the draft period, and been approved where they are to be?"""
    closing = books.closing(month)
    if closing is None or _is_closed(closing):
        return True
    due_ms = closing.opened_ms + settings.draft_period // _MILLISECOND
    if now_ms() < due_ms:
        report(f"drafts may be looked at until {format_instant(due_ms)}; then close again")
        return False
    if settings.approval and (unapproved := books.unapproved(month)):
        report(f"{waiting(month, unapproved)}; then close again")
        return False
    return True


def _result(
    books: Ledger,
    month: str,
    runs: tuple[RunEnded, ...],
    needs_approval: bool,
    *,
    nothing_to_do: bool = False,
) -> CloseResult:
    issued_ms = books.first_issued_ms(month)
    totals_minor: Counter[str] = Counter()
    for each in books.month_totals(month, month):
        totals_minor[each.currency] += each.total_minor
    return CloseResult(
        month=month,
        nothing_to_do=nothing_to_do,
        closed_at=None if issued_ms is None else format_instant(issued_ms),
        invoices=books.invoices_by_state(month),
        held={each.tenant: each.held for each in books.held_drafts(month) if each.held},
        totals_minor=dict(sorted(totals_minor.items())),
        collected=summarize(books, month),
        received_minor=received(books, month),
        runs=tuple(run.run_id for run in runs),
        warnings=tuple(line for run in runs for line in run.warnings),
        unapproved=books.unapproved(month) if needs_approval else 0,
    )
