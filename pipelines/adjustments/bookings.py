"""Lines that join fees and usage before anything is reduced: add-ons and one-off items."""

from collections.abc import Iterator
from operator import attrgetter

from pipelines.adjustments.case import Case
from schemas.extras import BookedAddOn
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod, add_months, from_ms, to_ms
from schemas.quantity import MICRO
from schemas.subscription import Subscription


def booked_lines(case: Case) -> list[InvoiceLine]:
    """The lines of add-ons, then those of items, each by key."""
    return [*_add_ons(case), *_items(case)]


def _items(case: Case) -> Iterator[InvoiceLine]:
    own = (item for item in case.given.items if item.currency == case.currency)
    for item in sorted(own, key=attrgetter("key")):
        yield case.line("item", case.last_plan, item.amount_minor, name=item.description)


def _add_ons(case: Case) -> Iterator[InvoiceLine]:
    """One that its price list has no fee for, in the invoice's currency, costs nothing."""
    for booked in sorted(case.given.add_ons, key=attrgetter("key")):
        terms = case.catalogs[booked.catalog_version].add_ons[booked.add_on]
        if case.currency in terms.fee:
            rule = _by_the_month if terms.interval == "month" else _by_the_year
            yield from rule(case, booked, terms.fee_minor(case.currency) * booked.quantity)


def _by_the_month(case: Case, booked: BookedAddOn, fee_minor: int) -> Iterator[InvoiceLine]:
    """The fee for the parts in which both the add-on and a plan are in force, by the second.

    Three seats of 5.00 from 11 October on: 15.00 × 21 ÷ 31 days = 10.16.
    """
    both = [part for _, active in case.active_parts() if (part := _common(booked, active))]
    if both:
        amount_minor = case.share((fee_minor, part.duration_ms) for part in both)
        over = BillingPeriod(both[0].start_ms, both[-1].end_ms)
        yield _line(case, booked, fee_minor, amount_minor, over)


def _by_the_year(case: Case, booked: BookedAddOn, fee_minor: int) -> Iterator[InvoiceLine]:
    """The whole fee, when a year of the add-on begins; while no plan is paid for, it waits."""
    for year in _years(booked, case.period):
        due_ms = _first_paid(case.subscription, year)
        if due_ms is not None and case.period.contains(due_ms):
            over = BillingPeriod(due_ms, year.end_ms)
            yield _line(case, booked, fee_minor, fee_minor, over)


def _years(booked: BookedAddOn, period: BillingPeriod) -> Iterator[BillingPeriod]:
    """The years of an add-on that reach into the period, each as far as the add-on goes."""
    first = from_ms(booked.starts_ms)
    elapsed = from_ms(period.start_ms).year - first.year
    for n in range(max(0, elapsed - 1), elapsed + 2):
        start, end = (to_ms(add_months(first, 12 * years)) for years in (n, n + 1))
        year = _common(booked, BillingPeriod(start, end))
        if year and year.start_ms < period.end_ms and period.start_ms < year.end_ms:
            yield year


def _first_paid(subscription: Subscription, year: BillingPeriod) -> int | None:
    """The first instant of a year at which the subscription's plan is paid for."""
    starts = [
        part.start_ms for segment, part in subscription.parts(year) if segment.phase == "active"
    ]
    return min(starts, default=None)


def _common(booked: BookedAddOn, other: BillingPeriod) -> BillingPeriod | None:
    start = max(booked.starts_ms, other.start_ms)
    end = other.end_ms if booked.ends_ms is None else min(booked.ends_ms, other.end_ms)
    return BillingPeriod(start, end) if start < end else None


def _line(
    case: Case, booked: BookedAddOn, fee_minor: int, amount_minor: int, over: BillingPeriod
) -> InvoiceLine:
    return InvoiceLine(
        "add_on",
        case.last_plan,
        over,
        amount_minor,
        quantity_micro=booked.quantity * MICRO,
        fee_minor=fee_minor,
        name=booked.add_on,
    )
