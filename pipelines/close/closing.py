"""Closing a month: the use cases from its usage to finalized invoices, in this order.

`aggregate_usage`, `rate_charges`, `prorate_fees`, `draft_invoices` (which begins with
`adjust_lines`), `reconcile`, `finalize`; `letting_go` follows where a draft was held. The month
was opened before: `opening`. Each replaces its own slice of the ledger, so it may run twice and be
killed between any two writes; on a closed month it writes nothing and its report says so, but for
drafts that were let go or approved since: `finalize` numbers them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments import bulk
from pipelines.adjustments.concerned import concerned
from pipelines.checks import reconciliation
from pipelines.checks.invoice_checks import totals_by_currency
from pipelines.checks.month_comparison import compare_figures, failed
from pipelines.columns.ahead import made_ahead
from pipelines.columns.line_parts import begins
from pipelines.columns.tables import table_of
from pipelines.corrections.late_usage import corrections_by, corrections_table
from pipelines.invoices import invoicing
from pipelines.invoices.books import Books
from pipelines.invoices.bulk_drafts import draft_parts
from pipelines.invoices.draft_tables import Part, drafts_of
from pipelines.invoices.lines_on_invoices import corrected_minor, note_lines, on_invoices
from pipelines.rating import bulk_rating
from pipelines.usage.usage_reading import read_usage
from schemas.invoice import InvoiceState
from schemas.ledger_ports import ClosingLedger, LineWork
from schemas.ports import Clock, Log, UsageReader
from schemas.tables import LINE_COLUMNS, USAGE_COLUMNS

DUE_DAYS = 14
_DAY_MS = 86_400_000


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


def aggregate_usage(month: str, ledger: ClosingLedger, usage: UsageReader) -> StepReport:
    """Take the month's usage from the warehouse into the ledger, cut by the closing's vector.

    It is split by the plans as they are now, which are kept with it: the month is billed by them.
    By the same cut it finds what months closed before owe for usage that came late.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("aggregate_usage", month)
    # Usage that is split by earlier plans must not be there with these if this ends in between.
    ledger.replace_usage(month, table_of([], USAGE_COLUMNS))
    # They are read when the slice has begun: a change that comes from then on sends it back.
    ledger.replace_billed_segments(month, books.current_segments())
    meters, vector = books.meters, books.closing.vector
    table = read_usage(usage, books.period, vector, books.bounds, meters, books.anchored)
    ledger.replace_usage(month, table)
    counts = {"rows": table.num_rows, "tenants": begins(table["tenant"]).true_count}
    counts |= _correct(books, ledger, usage)
    return StepReport("aggregate_usage", month, written=True, counts=counts)


def rate_charges(month: str, ledger: ClosingLedger) -> StepReport:
    """Price the month's usage into lines."""
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("rate_charges", month)
    lines = bulk_rating.rate_charges(books.usage, books.segments, books.period, books.catalogs)
    return _replace_lines("rate_charges", "charges", lines, books, ledger)


def prorate_fees(month: str, ledger: ClosingLedger) -> StepReport:
    """Make the month's fee lines, with the credits and charges of changes."""
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("prorate_fees", month)
    lines = bulk_rating.prorate_fees(books.segments, books.period, books.catalogs)
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
    totals: Counter[str] = Counter()
    parts = chain(
        draft_parts(on_invoices(books), books.segments, rests_on),
        drafts_of(invoicing.draft_notes(note_lines(books), rests_on)),
    )
    left_alone = ledger.replace_drafts(month, made_ahead(_added_up(parts, totals)))
    counts = {"subscriptions": len(books.subscribed), "finalized_left_alone": left_alone}
    told = dict(sorted(totals.items()))
    return StepReport("draft_invoices", month, written=True, counts=counts, totals_minor=told)


def _added_up(parts: Iterable[Part], totals: Counter[str]) -> Iterator[Part]:
    """The parts as they are; their totals are added up on the way."""
    for part in parts:
        totals.update(totals_by_currency(part[0]))
        yield part


def reconcile(
    month: str, ledger: ClosingLedger, usage: UsageReader, log: Log, *, max_held: float
) -> StepReport:
    """Compare counters, warehouse and invoices; hold the tenants whose figures differ.

    The comparison is recorded last, after the holds: finalizing asks for it, so that a run which
    dies here, or ends in a fault that is nobody's, leaves nothing that can be finalized.

    Raises:
        ReconciliationFailed: invoices are missing or surplus, lines or totals do not add up, or
            more than the share `max_held` of the invoices, and than one, would be held.
        PeriodNotComplete: landing does not come as far as the counters.
    """
    books = Books(month, ledger)
    if books.is_closed:
        return _untouched("reconcile", month)
    ledger.record_reconciliation(month, reconciliation.table_of_rows([]))
    compared = compare_figures(books, usage, log)
    differing = compared.filter(pc.is_valid(compared["held"]))
    reasons = reconciliation.held_reasons(reconciliation.rows_of_table(differing))
    ledger.hold(month, reasons)
    count, tenants = books.live_heads.num_rows, books.live_heads["tenant"]
    held = sorted(reasons.keys() & set(_among(tenants, reasons)))
    if reconciliation.are_too_many(len(held), count, max_held):
        told = [f"{tenant}: {reasons[tenant]}" for tenant in held]
        raise failed(month, f"{len(held)} of {count} invoices are held", told)
    ledger.record_reconciliation(month, compared)
    counts = {
        "compared": compared.num_rows,
        "differing_tenants": len(reasons),
        "held": len(held),
    }
    return StepReport("reconcile", month, written=True, counts=counts)


def _among(names: pa.ChunkedArray, wanted: Iterable[str]) -> list[str]:
    """Those of the names that are wanted."""
    chosen = names.filter(pc.is_in(names, value_set=pa.array(wanted, pa.string())))
    found: list[str] = chosen.to_pylist()
    return found


def finalize(month: str, ledger: ClosingLedger, clock: Clock, *, seller: str) -> StepReport:
    """Finalize and number the drafts that are not held, due in 14 days, and close the month.

    In a month that is closed already those that were let go or approved since.

    Raises:
        ReconciliationFailed: there are drafts, and no comparison of them is recorded.
    """
    is_closed = Books(month, ledger).is_closed
    if is_closed:
        before = finalized(month, ledger, written=False)
        if not before.counts["held"]:
            return before
    count = number_passing(month, ledger, clock, seller)
    return finalized(month, ledger, written=count > 0 or not is_closed)


def number_passing(month: str, ledger: ClosingLedger, clock: Clock, seller: str) -> int:
    """Finalize what passes, issued now; how many it were."""
    issued_ms = clock()
    return ledger.finalize(month, seller, issued_ms, issued_ms + DUE_DAYS * _DAY_MS)


def finalized(month: str, ledger: ClosingLedger, *, written: bool) -> StepReport:
    """The month as it stands: invoices, drafts that are held, totals of the invoices."""
    counts, totals = Counter({"finalized": 0, "held": 0}), Counter[str]()
    for each in ledger.month_totals(month, month):
        is_draft = each.state is InvoiceState.DRAFT
        counts["held" if is_draft else "finalized"] += each.invoices
        if not is_draft:
            totals[each.currency] += each.total_minor
    return StepReport("finalize", month, written, dict(counts), dict(totals))


def _correct(books: Books, ledger: ClosingLedger, usage: UsageReader) -> dict[str, int]:
    """Write what earlier months are off by, and count it.

    What is less than the price list corrects is carried on, and what is more than can be billed.
    """
    policy = books.catalogs[books.closing.catalog_version].late_usage
    found = corrections_by(books.closing, ledger, usage)
    due = policy.are_due(found)
    ledger.replace_lines(books.month, "corrections", corrections_table(due))
    counts = {"corrections": len(due), "carried_on": len(found) - len(due)}
    return {what: count for what, count in counts.items() if count}


def _adjust(books: Books, ledger: ClosingLedger) -> StepReport:
    segments = concerned(books.segments, books.offered)
    lines = table_of([], LINE_COLUMNS)
    if segments.num_rows:
        corrected = corrected_minor(books)
        lines = bulk.adjust_lines(
            books.rated(), segments, books.period, books.offered, corrected=corrected
        )
    return _replace_lines("adjust_lines", "adjustments", lines, books, ledger)


def _replace_lines(
    step: str, work: LineWork, lines: pa.Table, books: Books, ledger: ClosingLedger
) -> StepReport:
    ledger.replace_lines(books.month, work, lines)
    counts = {"lines": lines.num_rows, "subscriptions": begins(lines["subscription"]).true_count}
    totals = _totals(lines)
    return StepReport(step, books.month, written=True, counts=counts, totals_minor=totals)


def _totals(lines: pa.Table) -> dict[str, int]:
    grouped = lines.group_by("currency").aggregate([("amount_minor", "sum")]).to_pylist()
    return {row["currency"]: row["amount_minor_sum"] for row in grouped}


def _untouched(step: str, month: str) -> StepReport:
    return StepReport(step, month, written=False)
