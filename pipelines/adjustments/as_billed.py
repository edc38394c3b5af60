"""What a tenant had beside its plan as its invoice found it, whatever became of it since."""

from dataclasses import replace

import msgspec

from schemas.extras import Credit, CreditGrant, Given
from schemas.invoice import Invoice
from schemas.period import BillingPeriod
from schemas.tax import Buyer


class _Document(msgspec.Struct):
    buyer: dict[str, str] = msgspec.field(default_factory=dict)


_decode = msgspec.json.Decoder(_Document).decode


def as_billed(invoice: Invoice, given: Given) -> Given:
    """The buyer as the invoice's document names it, and credits as its lines found them.

    Coupons, add-ons and items do not change in a month once it is closed.
    """
    used = [line for line in invoice.lines if line.kind == "credit_applied"]
    whose = invoice.tenant, invoice.currency, invoice.month
    credits = tuple(
        found_credit(*whose, place, line.name, line.base_minor) for place, line in enumerate(used)
    )
    return replace(given, buyer=told_buyer(invoice.document), credits=credits)


def told_buyer(document: bytes) -> Buyer:
    """The buyer that a document names."""
    return Buyer(**_decode(document).buyer)


def found_credit(
    tenant: str, currency: str, month: str, place: int, name: str | None, base_minor: int | None
) -> Credit:
    """A credit that an invoice's line has used: the so-manieth, and what it held before."""
    left_minor, granted_ms = base_minor or 0, BillingPeriod.month(month).start_ms
    grant = CreditGrant(tenant, name or "", currency, left_minor, granted_ms, priority=place)
    return Credit(grant, left_minor)
