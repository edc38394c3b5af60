"""Invoices: their lines, their document (what must re-run byte for byte), their life.

Number, issue date, state and payments lie outside the document, so that the same usage and
prices give the same bytes for ever.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from schemas.offers import Product
from schemas.period import BillingPeriod

LineKind = Literal[
    "base_fee",
    "proration_credit",
    "proration_charge",
    "included",
    "overage",
    "not_billed",
    "add_on",
    "item",
    "maximum",
    "minimum",
    "discount",
    "tax",
    "credit_applied",
    "correction",
    "correction_tax",
    "credited",
]
USAGE_KINDS: tuple[LineKind, ...] = ("included", "overage", "not_billed")
"""Kinds whose quantities add up to the usage of a meter."""
ADJUSTING_KINDS: tuple[LineKind, ...] = (
    "add_on", "item", "maximum", "minimum", "discount", "tax", "credit_applied",
    "correction", "correction_tax", "credited",
)  # fmt: skip
"""Kinds that follow from fees and usage, in the order of their lines on an invoice."""
CORRECTION_KINDS: tuple[LineKind, ...] = ("correction", "correction_tax")
"""Kinds that say what an earlier month's invoice is off by; their period is that invoice's."""
REDUCING_KINDS: tuple[LineKind, ...] = ("discount", "tax", "credit_applied", *CORRECTION_KINDS)
"""Kinds that come after a plan's minimum and maximum."""
OUTSIDE_SUBTOTAL: tuple[LineKind, ...] = ("tax", "credit_applied", "correction_tax")
"""Kinds that a subtotal leaves out: tax on top, and what credits pay."""


class InvoiceState(StrEnum):
    """`draft` may be replaced; `finalized` and later never changes but for its payment.

    `void`: it keeps its number and is owed no more.
    """

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    PAST_DUE = "past_due"
    VOID = "void"


InvoiceKind = Literal["invoice", "note"]
"""A note corrects an earlier invoice: below zero it credits, above zero it debits."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line. Quantities in 1e-6 units, unit prices in 1e-12 major units, amounts in minor units.

    `period` is the service period; a fee has no meter, quantity or unit price. `fee_minor` is the
    full monthly fee that a fee line is a part of. `value` is the pricing key's where the price
    depends on it, '' where the usage has none.

    Adjusting lines: `name` is that of the add-on, coupon, tax or credit, or an item's description;
    `base_minor` is what the amount was computed from (what a discount or tax is on, the usage that
    is capped, the minimum, what a credit held before), `rate_ppm` the share of it, `product` what
    a discount or tax is on. `tax_minor` is a tax that is added, or shown where prices hold it.

    A correction says the difference: of a quantity, of an amount before tax, or of a tax.
    """

    kind: LineKind
    plan: str
    period: BillingPeriod
    amount_minor: int
    meter: str | None = None
    quantity_micro: int | None = None
    unit_price_pico: int | None = None
    fee_minor: int | None = None
    value: str | None = None
    product: Product | None = None
    name: str | None = None
    rate_ppm: int | None = None
    base_minor: int | None = None
    tax_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """A tenant's invoice for one billing period, as the ledger holds it.

    `document` is canonical JSON, `document_hash` its SHA-256. `held` says why a draft is not
    finalized with the others. `corrects` is the id of the invoice that a note corrects;
    `credited_minor` is what notes have taken off before it was paid, `reversed_minor` what went
    back of what was paid, by refunds and disputes.
    """

    id: str
    tenant: str
    subscription: str
    month: str
    currency: str
    lines: tuple[InvoiceLine, ...]
    document: bytes
    document_hash: str
    state: InvoiceState = InvoiceState.DRAFT
    number: str | None = None
    issued_ms: int | None = None
    due_ms: int | None = None
    held: str | None = None
    kind: InvoiceKind = "invoice"
    corrects: str | None = None
    credited_minor: int = 0
    reversed_minor: int = 0

    @property
    def total_minor(self) -> int:
        """The exact sum of the rounded lines."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def subtotal_minor(self) -> int:
        """Before tax on top, and before credits; a tax that prices hold is in it."""
        return subtotal_minor(self.lines)

    @property
    def tax_minor(self) -> int:
        """The tax, on top or within."""
        return sum(line.tax_minor or 0 for line in self.lines)

    @property
    def credits_minor(self) -> int:
        """What prepaid credits pay of it."""
        return credits_minor(self.lines)

    @property
    def amount_due_minor(self) -> int:
        """What collection collects: the total, which credits have reduced already, less notes."""
        return max(0, self.total_minor - self.credited_minor)


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """The invoices of a month, currency and state together; void ones are left out."""

    month: str
    currency: str
    state: InvoiceState
    invoices: int
    total_minor: int


def subtotal_minor(lines: Iterable[InvoiceLine]) -> int:
    """What lines come to before tax on top and credits."""
    return sum(line.amount_minor for line in lines if line.kind not in OUTSIDE_SUBTOTAL)


def credits_minor(lines: Iterable[InvoiceLine]) -> int:
    """What prepaid credits pay of lines."""
    return -sum(line.amount_minor for line in lines if line.kind == "credit_applied")


def invoice_id(subscription: str, month: str) -> str:
    """The natural key of an invoice: one for each subscription and billing period."""
    return f"{subscription}:{month}"


REMADE = "#[0-9]+$"
"""How the id of an invoice ends that was made again in the place of a void one.

Any other ends with its month: a tenant may well be called `acme#1`.
"""


def is_remade(invoice: str) -> bool:
    """Is it the id of an invoice that was made again?"""
    return re.search(REMADE, invoice) is not None


def remade_id(invoice: str) -> str:
    """The id of the invoice that follows a void one: sub_acme:2026-10 → sub_acme:2026-10#2."""
    end = re.search(REMADE, invoice)
    return f"{invoice[: end.start()]}#{int(end[0][1:]) + 1}" if end else f"{invoice}#2"


def late_note_id(corrected: str, month: str) -> str:
    """The natural key of a note for late usage on an invoice's month, made by another's close."""
    return f"{corrected}:late:{month}"


def month_billed(line: InvoiceLine) -> str:
    """The month whose close bills the period of a correction."""
    return BillingPeriod.month_of(line.period.end_ms - 1).key
