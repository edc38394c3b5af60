"""Closing a month: the use cases from the cut to finalized invoices, in this order.

`open_closing`, `aggregate_usage`, `rate_charges`, `prorate_fees`, `draft_invoices` (which begins
with `adjust_lines`), `reconcile`, `finalize`; `release_held` follows where a tenant was held. Each
replaces its own slice of the ledger, so it may run twice and be killed between any two writes; on a
closed month it writes nothing and its report says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

import pyarrow as pa

from pipelines import bulk_rating, invoicing, reconciliation
from pipelines.adjustments import bulk
from pipelines.adjustments.check import adjustments_hold
from pipelines.adjustments.concerned import concerned
from pipelines.books import Books
from pipelines.checks import lines_sum_to_totals, one_invoice_per_subscription, totals_by_currency
from pipelines.completeness import cut, ensure_covered, ensure_over
from pipelines.draft_parts import drafts_of
from pipelines.late_usage import corrections_by, corrections_table
from pipelines.metering import meters_of
from pipelines.segment_tables import segment_table
from pipelines.segments import bounds
from pipelines.tables import rows_of, table_of
from pipelines.usage_reading import read_totals, read_usage
from schemas.closing import Closing, ClosingState, CounterComparison, Reconciliation
from schemas.errors import ReconciliationFailed
from schemas.invoice import InvoiceState
from schemas.ports import Clock, ClosingLedger, LineWork, Log, UsageReader
from schemas.tables import LINE_COLUMNS

DUE_DAYS = 14
_DAY_MS = 86_400_000
_TOLD = 5
"""Findings that an error's text names; the checks list all."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step did: counts by what was counted, totals in minor units by currency.

    `written` is False on a closed month, which no step touches.
    """

    step: str
    month: str
    written: bool
    counts: Mapping[str, int] = field(default_factory=dict)
    totals_minor: Mapping[str, int] = field(default_factory=dict)


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
    closing = replace(closing, without_counters=without_counters or closing.without_counters)
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


def aggregate_usage(month: str, ledger: ClosingLedger, usage: UsageReader) -> StepReport:
    """Take the month's usage from the warehouse into the ledger, cut by the closing's vector.

    By the same cut it finds what months closed before owe for usage that came late.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("aggregate_usage", month)
    cuts = {s.tenant: bounds(s, books.billed(s)) for s in books.subscriptions}
    meters, vector = meters_of(books.catalogs), books.closing.vector
    table = read_usage(usage, books.period, vector, cuts, meters, books.anchored)
    ledger.replace_usage(month, table)
    counts = {"rows": table.num_rows, "tenants": len(table["tenant"].unique())}
    made = _correct(books, ledger, usage)
    if made:
        counts["corrections"] = made
    return StepReport("aggregate_usage", month, written=True, counts=counts)


def rate_charges(month: str, ledger: ClosingLedger) -> StepReport:
    """Price the month's usage into lines."""
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("rate_charges", month)
    found = segment_table(books.subscriptions)
    lines = bulk_rating.rate_charges(books.usage, found, books.period, books.catalogs)
    return _replace_lines("rate_charges", "charges", lines, books, ledger)


def prorate_fees(month: str, ledger: ClosingLedger) -> StepReport:
    """Make the month's fee lines, with the credits and charges of changes."""
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("prorate_fees", month)
    found = segment_table(books.subscriptions)
    lines = bulk_rating.prorate_fees(found, books.period, books.catalogs)
    return _replace_lines("prorate_fees", "prorations", lines, books, ledger)


def adjust_lines(month: str, ledger: ClosingLedger) -> StepReport:
    """Make the lines that follow from fees and usage: add-ons, limits, discounts, tax, credits.

    Invoices that have none cost nothing.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("adjust_lines", month)
    return _adjust(books, ledger)


def draft_invoices(month: str, ledger: ClosingLedger) -> StepReport:
    """Make a draft invoice for every subscription of the month, replacing the drafts there are.

    What was recorded of an earlier comparison is dropped first: these drafts were not compared.
    Adjusting lines are made anew: a draft counts on what is left of credits now.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("draft_invoices", month)
    ledger.record_reconciliation(month, reconciliation.table_of_rows([]))
    _adjust(books, ledger)
    rests_on = invoicing.basis(books.closing, books.offered.catalogs, books.given)
    subscriptions = {s.id: s for s in books.subscriptions}
    drafts = invoicing.draft_all(books.invoice_lines, subscriptions, rests_on)
    notes = invoicing.draft_notes(books.note_lines, rests_on)
    left_alone = ledger.replace_drafts(month, drafts_of(chain(drafts, notes)))
    counts = {"subscriptions": len(subscriptions), "finalized_left_alone": left_alone}
    totals = _totals(books.lines)
    return StepReport("draft_invoices", month, written=True, counts=counts, totals_minor=totals)


def reconcile(
    month: str, ledger: ClosingLedger, usage: UsageReader, log: Log, *, max_held: float
) -> StepReport:
    """Compare counters, warehouse and invoices; hold the tenants whose figures differ.

    The comparison is recorded last, after the holds: finalizing asks for it, so that a run which
    dies here, or ends in a fault that is nobody's, leaves nothing that can be finalized.

    Raises:
        ReconciliationFailed: invoices are missing or surplus, lines or totals do not add up, or
            more than the share `max_held` of the invoices would be held.
        PeriodNotComplete: landing does not come as far as the counters.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("reconcile", month)
    ledger.record_reconciliation(month, reconciliation.table_of_rows([]))
    _ensure_sound(books)
    rows = _compare(books, usage, log)
    reasons = reconciliation.held_reasons(rows)
    ledger.hold(month, reasons)
    held = sorted(reasons.keys() & {invoice.tenant for invoice in books.invoices})
    if len(held) > max_held * len(books.invoices):
        told = [f"{tenant}: {reasons[tenant]}" for tenant in held]
        raise _failed(month, f"{len(held)} of {len(books.invoices)} invoices are held", told)
    ledger.record_reconciliation(month, reconciliation.table_of_rows(rows))
    counts = {"compared": len(rows), "differing_tenants": len(reasons), "held": len(held)}
    return StepReport("reconcile", month, written=True, counts=counts)


def finalize(month: str, ledger: ClosingLedger, clock: Clock, *, seller: str) -> StepReport:
    """Finalize and number the drafts that are not held, due in 14 days, and close the month.

    Raises:
        ReconciliationFailed: there are drafts, and no comparison of them is recorded.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _finalized(month, ledger, written=False)
    if books.invoices and not ledger.is_reconciled(month):
        remedy = f"run `countinghouse close {month}`"
        raise ReconciliationFailed(f"{month}: the drafts were not reconciled; {remedy}")
    issued_ms = clock()
    ledger.finalize(month, seller, issued_ms, issued_ms + DUE_DAYS * _DAY_MS)
    return _finalized(month, ledger, written=True)


def release_held(
    month: str, tenant: str, ledger: ClosingLedger, clock: Clock, *, seller: str, who: str, why: str
) -> StepReport:
    """Let a held tenant's invoice go, by somebody's word: it is finalized with the next number.

    In a month that is not closed yet it is finalized with the others.

    Raises:
        NotFound: the tenant has no draft in the month, or the month was not opened.
    """
    books = Books(month, ledger)
    ledger.override(month, tenant, who, why)
    if books.is_closed:
        issued_ms = clock()
        ledger.finalize(month, seller, issued_ms, issued_ms + DUE_DAYS * _DAY_MS)
    return replace(_finalized(month, ledger, written=True), step="release_held")


def _ensure_sound(books: Books) -> None:
    """No fault that belongs to no single tenant."""
    findings = one_invoice_per_subscription(books) + lines_sum_to_totals(books)
    findings += adjustments_hold(books)
    if findings:
        raise _failed(books.month, "the invoices do not add up", findings)


def _failed(month: str, reason: str, findings: list[str]) -> ReconciliationFailed:
    told = "; ".join(findings[:_TOLD])
    more = f"; and {len(findings) - _TOLD} more" if len(findings) > _TOLD else ""
    return ReconciliationFailed(f"{month}: nothing is finalized, since {reason}: {told}{more}")


def compare_counters(books: Books, usage: UsageReader, log: Log) -> list[CounterComparison]:
    """Every counter of the month's periods beside the warehouse, by the closing's price list.

    Raises:
        PeriodNotComplete: landing does not come as far as the counters.
    """
    catalog = books.catalogs[books.closing.catalog_version]
    compared = usage.compare_counters(books.span, catalog, log)
    ensure_covered(compared)
    return list(compared.rows)


def _compare(books: Books, usage: UsageReader, log: Log) -> list[Reconciliation]:
    counters = None
    if books.closing.without_counters is None:
        compared = compare_counters(books, usage, log)
        counters = reconciliation.of_month(compared, books.period, books.anchored)
    figures = reconciliation.Figures(
        counters=counters,
        warehouse=read_totals(
            usage, books.period, books.closing.vector, meters_of(books.catalogs), books.anchored
        ),
        billed=reconciliation.billed_quantities(books.invoices),
        unpriced=reconciliation.unpriced_quantities(
            rows_of(books.usage), books.subscriptions, books.period, books.catalogs
        ),
    )
    catalog = books.catalogs[books.closing.catalog_version]
    invoiced = {i.tenant for i in books.invoices}
    uncounted = {meter.name for meter in catalog.meter_list if not meter.is_streamed}
    # Each invoiced tenant has a row, also where no meter has a price.
    billable = catalog.priced_meters or (catalog.meter_list[0].name,)
    return reconciliation.compare(figures, invoiced, billable, books.period, uncounted=uncounted)


def _correct(books: Books, ledger: ClosingLedger, usage: UsageReader) -> int:
    """Write what earlier months are off by, unless it is less than the price list corrects."""
    policy = books.catalogs[books.closing.catalog_version].late_usage
    found = [
        each
        for each in corrections_by(books.closing, ledger, usage)
        if abs(each.amount_minor) >= policy.threshold_minor(each.currency)
    ]
    ledger.replace_lines(books.month, "corrections", corrections_table(found))
    return len(found)


def _adjust(books: Books, ledger: ClosingLedger) -> StepReport:
    found = concerned(books.subscriptions, books.offered)
    lines = table_of([], LINE_COLUMNS)
    if found:
        corrected = books.corrected_minor
        lines = bulk.adjust_lines(
            books.rated(), found, books.period, books.offered, corrected=corrected
        )
    return _replace_lines("adjust_lines", "adjustments", lines, books, ledger)


def _replace_lines(
    step: str, work: LineWork, lines: pa.Table, books: Books, ledger: ClosingLedger
) -> StepReport:
    ledger.replace_lines(books.month, work, lines)
    counts = {"lines": lines.num_rows, "subscriptions": len(lines["subscription"].unique())}
    totals = _totals(lines)
    return StepReport(step, books.month, written=True, counts=counts, totals_minor=totals)


def _totals(lines: pa.Table) -> dict[str, int]:
    grouped = lines.group_by("currency").aggregate([("amount_minor", "sum")]).to_pylist()
    return {row["currency"]: row["amount_minor_sum"] for row in grouped}


def _finalized(month: str, ledger: ClosingLedger, *, written: bool) -> StepReport:
    every = ledger.invoices(month)
    invoices = [each for each in every if each.state is not InvoiceState.VOID]
    final = [invoice for invoice in invoices if invoice.state is not InvoiceState.DRAFT]
    counts = {"finalized": len(final), "held": len(invoices) - len(final)}
    totals = totals_by_currency(final)
    return StepReport("finalize", month, written=written, counts=counts, totals_minor=totals)


def _untouched(step: str, month: str) -> StepReport:
    return StepReport(step, month, written=False)
