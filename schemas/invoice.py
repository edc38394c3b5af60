"""Invoices: their lines, their document (what must re-run byte for byte), their life.

Number, issue date, state and payments lie outside the document, so that the same usage and
prices give the same bytes for ever.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from schemas.period import BillingPeriod

LineKind = Literal[
    "base_fee", "proration_credit", "proration_charge", "included", "overage", "not_billed"
]
USAGE_KINDS: tuple[LineKind, ...] = ("included", "overage", "not_billed")
"""Kinds whose quantities add up to the usage of a meter."""


class InvoiceState(StrEnum):
    """`draft` may be replaced; `finalized` and later never changes but for its payment."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    PAST_DUE = "past_due"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line. Quantities in 1e-6 units, unit prices in 1e-12 major units, amounts in minor units.

    `period` is the service period; a fee has no meter, quantity or unit price. `fee_minor` is the
    full monthly fee that a fee line is a part of. `value` is the pricing key's where the price
    depends on it, '' where the usage has none.
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


@dataclass(frozen=True, slots=True)
class Invoice:
    """A tenant's invoice for one billing period, as the ledger holds it.

    `document` is canonical JSON, `document_hash` its SHA-256. `held` says why a draft is not
    finalized with the others.
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

    @property
    def total_minor(self) -> int:
        """The exact sum of the rounded lines."""
        return sum(line.amount_minor for line in self.lines)


def invoice_id(subscription: str, month: str) -> str:
    """The natural key of an invoice: one for each subscription and billing period."""
    return f"{subscription}:{month}"
