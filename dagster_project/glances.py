"""What a billing person asks of a month, answered on its assets: how much, what moved, what is off.

Owns the choice and wording; the sums are the ledger's (`stores.ledger.invoices.overviews`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from dagster_project import charts, metadata
from schemas.closing import ClosingState
from schemas.invoice import InvoiceState, MonthTotal
from schemas.ledger_ports import LineWork
from schemas.money import Money, divide_half_away
from schemas.period import BillingPeriod
from schemas.quantity import format_micro
from stores.ledger import Ledger
from stores.ledger.invoices.overviews import InvoiceRow, LineSum, Overviews

MOVERS = 10
MONTHS = 12


def of_usage(ledger: Overviews, month: str) -> dict[str, Any]:
    """Each meter's usage beside that of the month before."""
    before = {each.meter: each for each in ledger.usage_by_meter(month_before(month))}
    rows: list[metadata.Row] = []
    for each in ledger.usage_by_meter(month):
        old = before[each.meter].quantity_micro if each.meter in before else 0
        rows.append(
            {
                "meter": each.meter,
                "tenants": f"{each.tenants:,}",
                "events": f"{each.events:,}",
                "quantity": quantity(each.quantity_micro),
                "month before": quantity(old),
                "change": change(old, each.quantity_micro),
            }
        )
    return {"by meter": metadata.table(rows)}


def of_lines(ledger: Overviews, month: str, work: LineWork) -> dict[str, Any]:
    """What the lines come to, by kind, plan and meter, the largest amounts first."""
    found = sorted(ledger.lines_by_kind(month, work), key=lambda each: -abs(each.amount_minor))
    return {"by kind": metadata.table([_line_row(each) for each in found])}


def _line_row(each: LineSum) -> metadata.Row:
    return {
        "kind": each.kind.replace("_", " "),
        "plan": each.plan,
        "meter": each.meter,
        "lines": f"{each.lines:,}",
        "quantity": quantity(each.quantity_micro) if each.meter else "",
        "amount": str(Money(each.amount_minor, each.currency)),
    }


def of_invoices(ledger: Ledger, month: str) -> dict[str, Any]:
    """Invoices and totals by currency, beside the month before and over the last twelve.

    Drafts count while their month is being drafted; those that were left when it was closed are
    held, and told apart.
    """
    before, closing = month_before(month), ledger.closing(month)
    is_closed = closing is not None and closing.state is ClosingState.CLOSED
    totals = ledger.month_totals(_months_back(month, MONTHS - 1), month)
    drafts = [each for each in totals if each.state is InvoiceState.DRAFT]
    held = [each for each in drafts if is_closed and each.month == month]
    left = [each for each in drafts if each.month != month] + held
    sums = _sums(each for each in totals if each not in left)
    now = {currency: sums[month, currency] for m, currency in sorted(sums) if m == month}
    moved = ledger.largest_moves(month, before, MOVERS)
    movers: list[metadata.Row] = [
        {
            "tenant": each.tenant,
            before: str(Money(each.before_minor, each.currency)),
            month: str(Money(each.now_minor, each.currency)),
            "change": change(each.before_minor, each.now_minor, is_new=each.is_new),
        }
        for each in moved
    ]
    return {
        "at a glance": dg.MetadataValue.md(_in_words(month, now, sums) + _held_in_words(held)),
        "by currency": metadata.table([_currency_row(month, c, sums) for c in now]),
        f"largest movers since {before}": metadata.table(movers),
        "largest invoices": metadata.table(_rows(ledger.largest_invoices(month, MOVERS))),
        **_over_months(sums, month, now),
    }


def of_held(ledger: Overviews, month: str) -> dict[str, Any]:
    """The drafts that are held, each with its reason, and how they are let go."""
    held = ledger.held_drafts(month, metadata.MOST_ROWS)
    if not held:
        return {"held": "none"}
    remedy = f"`countinghouse invoices release TENANT {month} --by NAME --reason WHY`"
    return {
        "held": metadata.table(_rows(held)),
        "to let one go": dg.MetadataValue.md(f"mend the cause; then {remedy}"),
    }


def of_states(ledger: Overviews, month: str) -> dict[str, Any]:
    """How many invoices are in which state, and what they come to."""
    rows: list[metadata.Row] = [
        {
            "state": each.state.value.replace("_", " "),
            "invoices": f"{each.invoices:,}",
            "total": str(Money(each.total_minor, each.currency)),
        }
        for each in ledger.month_totals(month, month)
    ]
    return {"by state": metadata.table(rows)}


def of_numbers(ledger: Overviews, month: str) -> dict[str, Any]:
    """From which to which number."""
    found = ledger.number_range(month)
    return {"numbers": " to ".join(found) if found else "none"}


def month_before(month: str) -> str:
    """The month before a month: 2026-01 → 2025-12."""
    return BillingPeriod.month(month).before.key


def quantity(micro: int) -> str:
    """A quantity with thousands separated: 1,234.5."""
    whole, point, rest = format_micro(abs(micro)).partition(".")
    return f"{'-' if micro < 0 else ''}{int(whole):,}{point}{rest}"


def change(before: int, now: int, *, is_new: bool = True) -> str:
    """The change in per cent: +12.3 %; a word where there was nothing, or 0, before."""
    if not before:
        return ("new" if is_new else "from 0") if now else "none"
    tenths = divide_half_away((now - before) * 1000, abs(before))
    return f"{'-' if tenths < 0 else '+'}{abs(tenths) // 10:,}.{abs(tenths) % 10} %"


_Sums = dict[tuple[str, str], tuple[int, int]]
"""Invoices and minor units by month and currency."""


def _sums(totals: Iterable[MonthTotal]) -> _Sums:
    count: Counter[tuple[str, str]] = Counter()
    minor: Counter[tuple[str, str]] = Counter()
    for each in totals:
        count[each.month, each.currency] += each.invoices
        minor[each.month, each.currency] += each.total_minor
    return {key: (count[key], minor[key]) for key in count}


def _in_words(month: str, now: dict[str, tuple[int, int]], sums: _Sums) -> str:
    before = month_before(month)
    told = []
    for currency, (_, minor) in now.items():
        was = sums.get((before, currency))
        beside = f" ({change(was[1], minor)} on {before})" if was else ""
        told.append(f"**{Money(minor, currency)}**{beside}")
    invoices = sum(count for count, _ in now.values())
    plural = "" if invoices == 1 else "s"
    return f"{invoices:,} invoice{plural} for {month}: {', '.join(told) or 'nothing'}"


def _held_in_words(held: Sequence[MonthTotal]) -> str:
    if not held:
        return ""
    amounts = ", ".join(str(Money(each.total_minor, each.currency)) for each in held)
    return f"; {sum(each.invoices for each in held):,} held of {amounts}"


def _currency_row(month: str, currency: str, sums: _Sums) -> metadata.Row:
    before = month_before(month)
    (count, minor), (old_count, old_minor) = (
        sums[month, currency],
        sums.get((before, currency), (0, 0)),
    )
    return {
        "currency": currency,
        "invoices": f"{count:,}",
        "total": str(Money(minor, currency)),
        f"{before} invoices": f"{old_count:,}",
        f"{before} total": str(Money(old_minor, currency)),
        "change": change(old_minor, minor),
    }


def _over_months(sums: _Sums, month: str, currencies: Iterable[str]) -> dict[str, Any]:
    """For each currency a plot of the months there are, and the same as a table."""
    shown: dict[str, Any] = {}
    for currency in currencies:
        months = sorted({m for m, c in sums if c == currency} | {month})
        totals = [(m, Money(sums.get((m, currency), (0, 0))[1], currency)) for m in months]
        shown[f"{currency} over months"] = dg.MetadataValue.md(charts.months_chart(totals))
        shown[f"{currency} by month"] = metadata.table(_month_rows(currency, months, sums))
    return shown


def _month_rows(currency: str, months: Sequence[str], sums: _Sums) -> list[metadata.Row]:
    found = [(month, *sums.get((month, currency), (0, 0))) for month in months]
    befores = [None, *(minor for _, _, minor in found)]
    return [
        {
            "month": month,
            "invoices": f"{count:,}",
            "total": str(Money(minor, currency)),
            "change": "" if before is None else change(before, minor),
        }
        for (month, count, minor), before in zip(found, befores, strict=False)
    ]


def _months_back(month: str, count: int) -> str:
    for _ in range(count):
        month = month_before(month)
    return month


def _rows(invoices: Sequence[InvoiceRow]) -> list[metadata.Row]:
    is_held = any(each.held for each in invoices)
    return [
        {
            "tenant": each.tenant,
            "number": each.number or "",
            "total": str(Money(each.total_minor, each.currency)),
            "state": each.state.replace("_", " "),
            **({"held because": each.held or ""} if is_held else {}),
        }
        for each in invoices
    ]
