"""Late usage: what closed months owe more or less, once events beyond their cuts are read.

A closed month is computed again for those tenants alone of whom the log holds usage beyond its
cut, or whose plans were changed within it since, by its own price lists and the timelines as they
are, and compared with what was billed and corrected since. So a second late batch corrects what is
new, and a second run nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from pipelines.adjustments import bulk
from pipelines.adjustments.as_billed import as_billed
from pipelines.adjustments.concerned import concerned
from pipelines.columns.tables import lines_by_subscription, table_of
from pipelines.corrections.correction_lines import difference, owed
from pipelines.invoices.books import Books
from pipelines.rating import bulk_rating
from pipelines.segments.segment_tables import segment_table
from pipelines.segments.segments import bounds
from pipelines.usage.usage_reading import read_usage_of
from schemas.catalog import Catalog
from schemas.closing import Closing, ClosingState
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, NOTHING, Extras
from schemas.invoice import (
    CORRECTION_KINDS,
    USAGE_KINDS,
    Invoice,
    InvoiceLine,
    invoice_id,
    month_billed,
)
from schemas.late_usage import Correction
from schemas.ledger_ports import ClosingLedger
from schemas.money import MOST_MINOR, TOO_DEAR
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.quantity import MOST_MICRO, TOO_MUCH
from schemas.subscription import Subscription
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS
from schemas.vector import Vector

Lines = Sequence[InvoiceLine]


@dataclass(slots=True)
class _Billed:
    """What a subscription was billed for a month, and in corrections of it.

    `name` is the invoice's number or id; `invoice` is None where it is void and was not made again.
    """

    subscription: str
    tenant: str
    currency: str
    name: str
    invoice: Invoice | None
    lines: list[InvoiceLine] = field(default_factory=list)


def corrections_by(closing: Closing, ledger: ClosingLedger, usage: UsageReader) -> list[Correction]:
    """What a month's close finds to correct in earlier months closed before, as of its own cut.

    Only what closings opened before this one have billed and corrected counts, so that a month
    that is computed again finds the same. A month that is closed after a later one corrects
    nothing of that: its invoices are about a time in which there was nothing to correct.
    By month, tenant and subscription.
    """
    earlier = [each for each in ledger.opened_closings() if _order(each) < _order(closing)]
    closed = [each for each in earlier if each.state is ClosingState.CLOSED]
    targets = [each for each in closed if each.month < closing.month]
    return corrections(targets, {each.month for each in earlier}, closing.vector, ledger, usage)


def corrections_until(
    month: str, as_of: Vector, ledger: ClosingLedger, usage: UsageReader
) -> list[Correction]:
    """What a month's close would find to correct in closed months, if it were opened now."""
    opened = ledger.opened_closings()
    closed = [each for each in opened if each.state is ClosingState.CLOSED and each.month < month]
    return corrections(closed, {each.month for each in opened}, as_of, ledger, usage)


def corrections(
    targets: Iterable[Closing],
    counted: Collection[str],
    as_of: Vector,
    ledger: ClosingLedger,
    usage: UsageReader,
) -> list[Correction]:
    """What the target months' invoices are off by, as of a cut.

    `counted` are the months whose invoices and notes may hold corrections that count as made.
    """
    found, sold = [], ledger.catalogs().values()
    for closing in sorted(targets, key=lambda each: each.month):
        if tenants := _concerned(closing, sold, as_of, ledger, usage):
            books = Books(closing.month, ledger, tenants)
            billed = _billed(closing.month, ledger.invoices_of(tenants), counted)
            found += _of_month(books, billed, as_of, usage)
    return found


def _concerned(
    closing: Closing,
    sold: Collection[Catalog],
    as_of: Vector,
    ledger: ClosingLedger,
    usage: UsageReader,
) -> set[str]:
    """Whose invoices may be off. Plans of an open month that change are taken in by its close."""
    late = usage.late(reach(closing, sold), closing.vector, as_of)
    ends_ms = BillingPeriod.month(closing.month).end_ms
    return late | ledger.tenants_replanned(ends_ms, closing.opened_ms)


def reach(closing: Closing, sold: Collection[Catalog]) -> BillingPeriod:
    """When usage may be of, that a month's close bills.

    What a gauge shows reaches into every month that follows; a period with another anchor may
    begin in the month before. Plans go on by the price list that they began with, so any of all
    that were `sold` by may allow that.
    """
    month = BillingPeriod.month(closing.month)
    meters = (meter for catalog in sold for meter in catalog.meter_list)
    if any(meter.aggregation == "time_weighted" for meter in meters):
        return BillingPeriod(0, month.end_ms)
    return month.reach if any(catalog.anniversary_billing for catalog in sold) else month


def _order(closing: Closing) -> tuple[int, str]:
    return closing.opened_ms, closing.month


def _billed(
    month: str, invoices: Iterable[Invoice], counted: Collection[str]
) -> dict[str, _Billed]:
    """By subscription. Whose invoice is void, and not made again, has its corrections alone."""
    invoices = list(invoices)
    billed: dict[str, _Billed] = {}
    for each in invoices:
        if each.month == month and each.kind == "invoice":
            own = each.subscription, each.tenant, each.currency, each.number or each.id
            billed[each.subscription] = _Billed(*own, each, owed(each.lines))
    for each in invoices:
        made = [it for it in each.lines if it.kind in CORRECTION_KINDS]
        if lines := [it for it in made if each.month in counted and month_billed(it) == month]:
            void = each.subscription, each.tenant, each.currency
            none = _Billed(*void, invoice_id(each.subscription, month), None)
            billed.setdefault(each.subscription, none).lines += lines
    return billed


def _of_month(
    books: Books, billed: Mapping[str, _Billed], as_of: Vector, usage: UsageReader
) -> list[Correction]:
    subscriptions = {each.id: each for each in books.subscriptions}
    standing = {name: own.invoice for name, own in billed.items() if own.invoice}
    wanted = _owed_as_of(books, standing, as_of, usage)
    found = (
        _correction(own, subscriptions.get(name), wanted.get(name, ()), books)
        for name, own in sorted(billed.items(), key=lambda item: (item[1].tenant, item[0]))
    )
    return [each for each in found if each.lines or each.carried_on]


def _correction(
    own: _Billed, subscription: Subscription | None, wanted: Lines, books: Books
) -> Correction:
    """What turns what was billed into what is wanted; it has no line where nothing differs."""
    period = books.billed(subscription) if subscription else books.period
    lines = difference(wanted, own.lines, period)
    told = books.month, own.tenant, own.subscription, own.currency, own.name
    if lines and (too_much := _too_much(wanted)):
        return Correction(*told, (), too_much)
    placed = (
        line if line.plan else replace(line, plan=_last_plan(own, subscription, period))
        for line in lines
    )
    return Correction(*told, tuple(placed))


def _too_much(lines: Lines) -> str | None:
    """Why a month is not corrected: what it owes for is more than lines say, so for how much?"""
    used, own = Counter[str](), [line for line in lines if line.kind in USAGE_KINDS]
    for line in own:
        used[line.meter or ""] += line.quantity_micro or 0
    reasons = {
        TOO_MUCH: {meter for meter, micro in used.items() if abs(micro) >= MOST_MICRO},
        TOO_DEAR: {line.meter or "" for line in own if abs(line.amount_minor) >= MOST_MINOR},
    }
    told = [f"{', '.join(sorted(those))}: {why}" for why, those in reasons.items() if those]
    return "; ".join(told) or None


def _last_plan(own: _Billed, subscription: Subscription | None, period: BillingPeriod) -> str:
    """For what belongs to no plan: the one in force last, or billed, where there is none now."""
    return subscription.parts(period)[-1][0].plan if subscription else own.lines[-1].plan


def _owed_as_of(
    books: Books, standing: Mapping[str, Invoice], as_of: Vector, usage: UsageReader
) -> Mapping[str, Lines]:
    """The lines that these subscriptions' invoices would have, but for credits; a void one none."""
    subscriptions = [each for each in books.subscriptions if each.id in standing]
    if not subscriptions:
        return {}
    periods = {each.tenant: books.billed(each) for each in subscriptions}
    cuts = {each.tenant: bounds(each, books.billed(each)) for each in subscriptions}
    used = read_usage_of(usage, periods, as_of, cuts, books.meters)
    month, catalogs = books.period, books.catalogs
    segments = segment_table(subscriptions)
    fees = bulk_rating.prorate_fees(segments, month, catalogs)
    charges = bulk_rating.rate_charges(used, segments, month, catalogs)
    rated = pa.concat_tables([fees, charges])
    offered = replace(books.offered, extras=_as_billed(books, standing.values()))
    found = concerned(segments, offered)
    following = [bulk.adjust_lines(rated, found, month, offered)] if found.num_rows else []
    return _by_subscription([fees, charges, *following])


def _by_subscription(tables: Iterable[pa.Table]) -> dict[str, list[InvoiceLine]]:
    found: dict[str, list[InvoiceLine]] = {}
    for table in tables:
        for row, lines in lines_by_subscription(table):
            found.setdefault(row["subscription"], []).extend(lines)
    return found


def corrections_table(found: Iterable[Correction]) -> pa.Table:
    """Corrections as lines (`LINE_COLUMNS`) of the invoices or notes that make them, in order."""
    ordinals: Counter[str] = Counter()
    lines = table_of((row for each in found for row in _rows(each, ordinals)), LINE_COLUMNS)
    return lines.sort_by([(it, "ascending") for it in ("tenant", "subscription", "ordinal")])


def _rows(correction: Correction, ordinals: Counter[str]) -> Iterator[tuple[Any, ...]]:
    its = correction
    for line in its.lines:
        ordinal = ordinals[its.subscription]
        ordinals[its.subscription] += 1
        yield (
            *(its.tenant, its.subscription, its.currency, ordinal, line.kind, line.meter),
            *(line.value, line.plan, line.period.start_ms, line.period.end_ms),
            *(line.quantity_micro, line.unit_price_pico, line.fee_minor, line.amount_minor),
            *(getattr(line, name) for name in ADJUSTING_COLUMNS),
        )


def _as_billed(books: Books, standing: Iterable[Invoice]) -> Extras:
    """What tenants had as their invoices found it: buyers as told there, and no credits."""
    told = sorted((each.tenant, as_billed(each, NOTHING).buyer) for each in standing)
    buyers = ((tenant, it.country, it.region, it.tax_id) for tenant, it in told if it.is_known)
    return replace(
        books.extras,
        buyers=table_of(buyers, BUYER_COLUMNS),
        credits=table_of([], CREDIT_COLUMNS),
    )
