"""Opening a month: it is closed as of a cut through the log, which is taken once and kept."""

from dataclasses import replace

from pipelines.checks.completeness import cut, ensure_over
from schemas.closing import Closing, ClosingState
from schemas.ledger_ports import ClosingLedger
from schemas.ports import Clock, Log, UsageReader


def open_closing(
    month: str,
    ledger: ClosingLedger,
    log: Log,
    usage: UsageReader,
    clock: Clock,
    *,
    code_version: str,
    grace_ms: int,
    without_counters: str | None = None,
) -> Closing:
    """The month's closing, opened as of now if it was not; an opened one keeps its vector.

    It is told the code by which the month is made: that of this call, as long as it is not closed.

    `without_counters` is the reason for which their comparison is left out; it is recorded.

    Raises:
        PeriodNotOver, PeriodNotComplete: it is too early; `ledger.catalog` may raise NotFound.
    """
    closing = ask_closing(month, ledger, log, clock, code_version=code_version, grace_ms=grace_ms)
    if closing.state is ClosingState.CLOSED:
        return closing
    if closing.state is ClosingState.AWAITING:
        with_counters = without_counters is None
        vector = cut(closing.vector, log, usage, with_counters=with_counters)
        state, opened_ms = ClosingState.OPEN, clock()
        closing = replace(closing, state=state, vector=vector, opened_ms=opened_ms)
    closing = replace(
        closing,
        # What is made from here on is made by this code, whoever asked for the month first.
        code_version=code_version,
        without_counters=without_counters or closing.without_counters,
    )
    ledger.save_closing(closing)
    return closing


def ask_closing(
    month: str, ledger: ClosingLedger, log: Log, clock: Clock, *, code_version: str, grace_ms: int
) -> Closing:
    """The month's closing; at the first time, remember how far the log reaches.

    Raises:
        PeriodNotOver: it is too early; `ledger.catalog` may raise NotFound.
    """
    closing = ledger.closing(month)
    if closing is None:
        now_ms = clock()
        ensure_over(month, now_ms, grace_ms)
        version, _ = ledger.catalog()
        awaiting = ClosingState.AWAITING
        closing = Closing(month, log.ends(), version, code_version, now_ms, awaiting)
        ledger.save_closing(closing)
    return closing
