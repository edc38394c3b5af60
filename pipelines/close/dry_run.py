"""The whole close of a month without writing: its totals, its checks, and who would be held.

Runs the steps of `pipelines.close.closing` on `pipelines.close.unwritten`; owns what is told of
them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow.compute as pc

from pipelines.checks.completeness import cut, ensure_over
from pipelines.checks.invoice_checks import no_surprising_change
from pipelines.checks.leakage import items_without_invoice
from pipelines.checks.reconciliation import rows_of_table, telling
from pipelines.close.closing import reconcile
from pipelines.close.unwritten import Unwritten, make_drafts
from pipelines.columns.tables import as_table, rows_of
from pipelines.invoices.books import Books
from pipelines.reports.movements import totals_of
from schemas.closing import Closing, ClosingState, Reconciliation
from schemas.errors import Conflict, PeriodNotComplete, ReconciliationFailed
from schemas.ledger_ports import ClosingLedger
from schemas.money import Money
from schemas.period import BillingPeriod
from schemas.ports import Log, UsageReader
from schemas.progress import Progress, unseen
from schemas.quantity import format_micro
from schemas.tables import RECONCILIATION_COLUMNS
from schemas.vector import Vector

Outcome = Literal["passed", "explained", "held", "failed"]
"""`explained` is worth a look and stops nothing; `held` keeps back tenants, `failed` the run."""


_CODE_VERSION = "dry run"
"""Stands where a closing says by which code it was made; it is stored nowhere."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the month would be closed: its grace, the share that may be held, and why without
    counters."""

    grace_ms: int
    max_held: float
    without_counters: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check by name, and what it found, a line each; `said` is the whole where its name, which
    says what should be, would not tell it."""

    name: str
    outcome: Outcome
    findings: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class DryRun:
    """A month as its close would make it now. `totals` are minor units by (tenant, currency)."""

    month: str
    catalog_version: int
    vector: Vector
    invoices: int
    totals: Mapping[tuple[str, str], int]
    last_month: Mapping[tuple[str, str], int] | None
    checks: Sequence[Check]

    @property
    def outcome(self) -> Outcome:
        """The worst of its checks."""
        found = {check.outcome for check in self.checks}
        order: tuple[Outcome, ...] = ("failed", "held", "explained", "passed")
        return next((each for each in order if each in found), "passed")


def dry_run(
    month: str,
    ledger: ClosingLedger,
    log: Log,
    usage: UsageReader,
    now_ms: int,
    terms: Terms,
    progress: Progress = unseen,
) -> DryRun:
    """Close the month into memory. What is not landed yet is a failed check, not an error.

    Raises:
        PeriodNotOver: it is too early. Conflict: the month is closed.
    """
    ensure_over(month, now_ms, terms.grace_ms)
    closing, complete = _cut(month, ledger, log, usage, now_ms, terms.without_counters)
    unwritten = Unwritten(closing, ledger)
    make_drafts(month, unwritten, usage, progress)
    progress("counters beside warehouse and invoices", 0, 0)
    compared = _compare(month, unwritten, usage, log, terms.max_held)
    books, last = Books(month, unwritten), _last_month(month, ledger)
    compared_rows = as_table(unwritten.reconciliation(month), RECONCILIATION_COLUMNS)
    recorded = rows_of_table(telling(compared_rows))
    return DryRun(
        month,
        closing.catalog_version,
        closing.vector,
        books.live_heads.num_rows,
        totals_of(books.lines),
        None if last is None else totals_of(last.lines),
        (
            complete,
            compared,
            *_explained(books, last, recorded),
        ),
    )


def _cut(
    month: str,
    ledger: ClosingLedger,
    log: Log,
    usage: UsageReader,
    now_ms: int,
    without_counters: str | None,
) -> tuple[Closing, Check]:
    """The closing by which the month would be closed now, and whether all has landed."""
    stored = ledger.closing(month)
    if stored is not None and stored.state is ClosingState.CLOSED:
        told = "a run would change nothing"
        raise Conflict(f"{month} is closed, {told}; see `countinghouse invoices list`")
    if stored is not None and stored.state is ClosingState.OPEN:
        return stored, Check("complete", "passed")
    check = Check("complete", "passed")
    try:
        vector = cut(log.ends(), log, usage, with_counters=without_counters is None)
    except PeriodNotComplete as reason:
        vector, check = log.landed(), Check("complete", "failed", (str(reason),))
    version, _ = ledger.catalog()
    closing = Closing(
        month, vector, version, _CODE_VERSION, now_ms, without_counters=without_counters
    )
    return closing, check


def _compare(
    month: str, unwritten: Unwritten, usage: UsageReader, log: Log, max_held: float
) -> Check:
    """The close's own gate: what stops the run, and whom it holds."""
    name = "counters, warehouse and invoices agree"
    try:
        reconcile(month, unwritten, usage, log, max_held=max_held)
    except (ReconciliationFailed, PeriodNotComplete) as reason:
        return Check(name, "failed", (str(reason),))
    heads = Books(month, unwritten).heads
    rows = rows_of(heads.filter(pc.is_valid(heads["held"])))
    held = sorted({f"{row['tenant']}: {row['held']}" for row in rows})
    return Check(name, "held" if held else "passed", tuple(held))


def _last_month(month: str, ledger: ClosingLedger) -> Books | None:
    before = BillingPeriod.month(month).before.key
    closing = ledger.closing(before)
    if closing is None or closing.state is not ClosingState.CLOSED:
        return None
    return Books(before, ledger)


def _explained(
    books: Books, last: Books | None, compared: Sequence[Reconciliation]
) -> Iterator[Check]:
    """What is worth a look and stops nothing."""
    changes = [] if last is None else no_surprising_change(books, last)
    near = "" if last else "there is no closed month before to compare totals with"
    found = (
        ("no surprising change", changes, "totals far from those of the month before", near),
        ("all usage is priced", list(_unpriced(books, compared)), "usage without a plan", ""),
        ("every item is billed", items_without_invoice(books), "items without an invoice", ""),
        ("no invoice is below zero", list(_below_zero(books)), "invoices below zero", ""),
    )
    for name, findings, otherwise, passed in found:
        if findings:
            yield Check(name, "explained", tuple(findings), f"{otherwise}: {len(findings):,}")
        else:
            yield Check(name, "passed", said=passed)


def _unpriced(books: Books, compared: Sequence[Reconciliation]) -> Iterator[str]:
    """Usage that no invoice holds, of meters that a price list prices."""
    priced = {meter for catalog in books.catalogs.values() for meter in catalog.priced_meters}
    for row in compared:
        if row.unpriced_micro and row.meter in priced:
            yield f"{row.tenant}: {format_micro(row.unpriced_micro)} {row.meter} without a plan"


def _below_zero(books: Books) -> Iterator[str]:
    heads = books.live_heads
    for row in rows_of(heads.filter(pc.less(heads["total_minor"], 0))):
        yield f"{row['tenant']}: {Money(row['total_minor'], row['currency'])}"
