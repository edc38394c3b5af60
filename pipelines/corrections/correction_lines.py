"""By how much lines are off: the difference between what is owed and what was billed, as lines.

Pure sums by key, without a rule of money: what comes out, added to what was billed, is what is
owed, to the cent and for any prices.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.adjustments.buckets import product_of
from schemas.invoice import CORRECTION_KINDS, USAGE_KINDS, InvoiceLine, LineKind
from schemas.offers import PRODUCTS, Product
from schemas.period import BillingPeriod

_OUTSIDE: tuple[LineKind, ...] = ("credit_applied", "credited")
"""What pays an invoice, or was given for another reason, is no part of what is owed."""


class Subject(NamedTuple):
    """What is corrected together: usage of a meter, fees of a plan, a discount, a tax by name."""

    kind: LineKind
    product: Product | None
    plan: str
    meter: str | None
    value: str | None
    name: str | None


@dataclass(slots=True)
class _Sum:
    amount_minor: int = 0
    quantity_micro: int = 0
    tax_minor: int = 0


def owed(lines: Iterable[InvoiceLine]) -> list[InvoiceLine]:
    """The lines of an invoice that say what its own period owes."""
    return [line for line in lines if line.kind not in (*_OUTSIDE, *CORRECTION_KINDS)]


def difference(
    wanted: Iterable[InvoiceLine], billed: Iterable[InvoiceLine], period: BillingPeriod
) -> tuple[InvoiceLine, ...]:
    """Lines that turn what was billed, corrections included, into what is wanted.

    1.2 M tokens in place of 1 M at 0.01 a thousand: 200,000 tokens more, 2.00.
    """
    sums: dict[Subject, _Sum] = {}
    for sign, lines in ((1, wanted), (-1, billed)):
        for line in lines:
            _add(sums.setdefault(subject_of(line), _Sum()), line, sign)
    found = sorted(sums.items(), key=lambda item: _place(item[0]))
    return tuple(_line(subject, own, period) for subject, own in found if own != _Sum())


def subject_of(line: InvoiceLine) -> Subject:
    """What a line is corrected with, itself a correction or not."""
    if line.kind in ("tax", "correction_tax"):
        return Subject("correction_tax", None, "", None, None, line.name)
    own = line.name if line.kind in ("correction", "discount", "add_on", "item") else None
    return Subject("correction", product_of(line), line.plan, line.meter, line.value, own)


def _add(own: _Sum, line: InvoiceLine, sign: int) -> None:
    own.amount_minor += sign * line.amount_minor
    own.tax_minor += sign * (line.tax_minor or 0)
    if line.kind in USAGE_KINDS or (line.kind == "correction" and line.meter is not None):
        own.quantity_micro += sign * (line.quantity_micro or 0)


def _line(subject: Subject, own: _Sum, period: BillingPeriod) -> InvoiceLine:
    is_usage = subject.meter is not None
    return InvoiceLine(
        subject.kind,
        subject.plan,
        period,
        own.amount_minor,
        meter=subject.meter,
        quantity_micro=own.quantity_micro if is_usage else None,
        value=subject.value,
        product=subject.product,
        name=subject.name,
        tax_minor=own.tax_minor if subject.kind == "correction_tax" else None,
    )


def _place(subject: Subject) -> tuple[bool, int, str, str, str, str]:
    """Taxes last; before them fees, usage, add-ons, items."""
    product = PRODUCTS.index(subject.product) if subject.product else len(PRODUCTS)
    told = subject.plan, subject.meter or "", subject.value or "", subject.name or ""
    return subject.kind == "correction_tax", product, *told
