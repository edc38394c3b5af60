"""Words for people: what an invoice line is, and when. English, plain, without the currency.

Descriptions are made from lines whenever they are shown; they are no part of an invoice's
document, so better wording never changes what was billed.
"""

from datetime import datetime
from functools import lru_cache

from pipelines.adjustments.words import arithmetic, title, what
from pipelines.segments.shares import prorate
from schemas.invoice import CORRECTION_KINDS, InvoiceLine
from schemas.money import format_minor, format_pico
from schemas.period import BillingPeriod, from_ms

_DAY_MS = 86_400_000
_SPANS = 4096
"""Texts of periods that are remembered: a month's lines share a few."""
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def describe(line: InvoiceLine, period: BillingPeriod, currency: str) -> str:
    """One line for a person: "Pro, 11–31 October: 21 of 31 days of 49.99".

    `period` is the invoice's billing period.
    """
    plan, when = plan_title(line.plan), span(line.period)
    match line.kind:
        case "base_fee" if line.period == period:
            return f"{plan}, {_dated(line.period)}"
        case "base_fee" | "proration_charge":
            return f"{plan}, {when}: {_share_of_fee(line, period, currency)}"
        case "proration_credit":
            return f"{plan} unused, {when}: {_share_of_fee(line, period, currency)}"
        case "included" | "not_billed" | "overage":
            return f"{plan}, {when}: {_usage(line)}"
        case "add_on":
            is_part = line.amount_minor != line.fee_minor
            share = f": {_share_of_fee(line, period, currency)}" if is_part else ""
            return f"{what(line)}, {when}{share}"
        case _:
            return _following(line, currency)


def _following(line: InvoiceLine, currency: str) -> str:
    if line.kind in CORRECTION_KINDS:
        return f"Late usage of {_dated(line.period)}: {_corrected(line)}"
    return ": ".join(filter(None, (what(line), arithmetic(line, currency))))


def _corrected(line: InvoiceLine) -> str:
    """What a correction is of: a meter, a discount, a tax, the plan's other lines."""
    if line.meter is not None:
        return f"{metered(line)} of {plan_title(line.plan)}"
    return line.name or f"{line.product or 'other'} of {plan_title(line.plan)}"


def _usage(line: InvoiceLine) -> str:
    if line.kind == "included":
        return f"{metered(line)} included"
    beyond = f"{metered(line)} beyond the included"
    return f"{beyond}, not billed" if line.kind == "not_billed" else f"{beyond}{_unit_price(line)}"


def metered(line: InvoiceLine) -> str:
    """The meter of a line, and the value that its price depends on: "tokens (small)"."""
    return f"{line.meter}" if line.value is None else f"{line.meter} ({line.value or 'other'})"


def _unit_price(line: InvoiceLine) -> str:
    """What each unit costs, where all cost the same."""
    return "" if line.unit_price_pico is None else f", {format_pico(line.unit_price_pico)} each"


def plan_title(plan: str) -> str:
    """A plan's name as a person reads it: team_plus → "Team plus"."""
    return title(plan)


@lru_cache(_SPANS)
def span(period: BillingPeriod) -> str:
    """When, with the last day included: "11–31 October", "5 October 12:00 – 31 October".

    Where it spans years, with them: "11 October 2026 – 30 September 2027".
    """
    start, end = from_ms(period.start_ms), from_ms(period.end_ms)
    last = from_ms(period.end_ms - 1)
    whole_days = not (period.start_ms % _DAY_MS or period.end_ms % _DAY_MS)
    if period == BillingPeriod.month_of(period.start_ms):
        return _month(start)
    with_year = _spans_years(period)
    if whole_days and not with_year and _month(start) == _month(last):
        days = f"{start.day}" if start.day == last.day else f"{start.day}–{last.day}"
        return f"{days} {_month(start)}"
    until = _moment(end, with_year) if period.end_ms % _DAY_MS else _moment_day(last, with_year)
    return f"{_moment(start, with_year)} – {until}"


def _spans_years(period: BillingPeriod) -> bool:
    return from_ms(period.start_ms).year != from_ms(period.end_ms - 1).year


def _dated(period: BillingPeriod) -> str:
    """A span with its year: "11–31 October 2026"."""
    year = "" if _spans_years(period) else f" {from_ms(period.start_ms).year}"
    return f"{span(period)}{year}"


def share(part: BillingPeriod, period: BillingPeriod) -> str:
    """How much of a period a part of it is: "21 of 31 days", or seconds where days do not do."""
    if part.duration_ms % _DAY_MS or period.duration_ms % _DAY_MS:
        return f"{part.duration_ms // 1000:,} of {period.duration_ms // 1000:,} seconds"
    return f"{part.duration_ms // _DAY_MS} of {period.duration_ms // _DAY_MS} days"


def _share_of_fee(line: InvoiceLine, period: BillingPeriod, currency: str) -> str:
    """The days that a fee is for; of one that is no fee of this period just the fee."""
    fee_minor, is_fee = line.fee_minor or 0, line.kind != "add_on"
    if is_fee and abs(line.amount_minor) != prorate(fee_minor, line.period, period):
        fee = format_minor(fee_minor, currency)
        return fee if abs(line.amount_minor) == fee_minor else f"its part of {fee}"
    return f"{share(line.period, period)} of {format_minor(line.fee_minor or 0, currency)}"


def _month(moment: datetime) -> str:
    return _MONTHS[moment.month - 1]


def _moment_day(moment: datetime, with_year: bool) -> str:
    return f"{moment.day} {_month(moment)}{f' {moment.year}' if with_year else ''}"


def _moment(moment: datetime, with_year: bool) -> str:
    day = _moment_day(moment, with_year)
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return day
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"{day} {clock}"
