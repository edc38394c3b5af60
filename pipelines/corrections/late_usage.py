"""Late usage: what closed months owe more or less, once events beyond their cuts are read.

A closed month is computed again for those tenants alone of whom the log holds usage beyond its
cut, or whose plans were changed within it since, by its own price lists and the timelines as they
are, and compared with what was billed and corrected since. So a second late batch corrects what is
new, and a second run nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipelines.columns.tables import table_of
from pipelines.corrections.billed_for import Billed, billed_for
from pipelines.corrections.correction_lines import difference
from pipelines.corrections.owed_as_of import Lines, owed_as_of
from pipelines.invoices.books import Books
from schemas.catalog import Catalog
from schemas.closing import Closing, ClosingState
from schemas.invoice import (
    USAGE_KINDS,
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


def corrections_by(closing: Closing, ledger: ClosingLedger, usage: UsageReader) -> list[Correction]:
    """What a month's close finds to correct in earlier months closed before, as of its own cut.

    Only what closings opened before this one have billed and corrected counts, so that a month
    that is computed again finds the same. A month that is closed after a later one corrects
    nothing of that: its invoices are about a time in which there was nothing to correct.
    By month, tenant and subscription.
    """
    earlier = opened_before(closing, ledger)
    closed = [each for each in earlier if each.state is ClosingState.CLOSED]
    targets = [each for each in closed if each.month < closing.month]
    return corrections(targets, {each.month for each in earlier}, closing.vector, ledger, usage)


def opened_before(closing: Closing, ledger: ClosingLedger) -> list[Closing]:
    """The closings whose corrections count as made for this one: those that were opened before."""
    return [each for each in ledger.opened_closings() if _order(each) < _order(closing)]


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
            billed = billed_for(closing.month, ledger.invoices_of(tenants), counted)
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


def _of_month(
    books: Books, billed: Mapping[str, Billed], as_of: Vector, usage: UsageReader
) -> list[Correction]:
    subscriptions = {each.id: each for each in books.subscriptions}
    standing = {name: own.invoice for name, own in billed.items() if own.invoice}
    wanted = owed_as_of(books, standing, as_of, usage)
    found = (
        _correction(own, subscriptions.get(name), wanted.get(name, ()), books)
        for name, own in sorted(billed.items(), key=lambda item: (item[1].tenant, item[0]))
    )
    return [each for each in found if each.lines or each.carried_on]


def _correction(
    own: Billed, subscription: Subscription | None, wanted: Lines, books: Books
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


def _last_plan(own: Billed, subscription: Subscription | None, period: BillingPeriod) -> str:
    """For what belongs to no plan: the one in force last, or billed, where there is none now."""
    return subscription.parts(period)[-1][0].plan if subscription else own.lines[-1].plan


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
