"""What a tenant had beside its plan as its invoice found it, whatever became of it since."""

from dataclasses import replace

import msgspec

from schemas.extras import Credit, CreditGrant, Given
from schemas.invoice import Invoice
from schemas.period import BillingPeriod
from schemas.tax import Buyer


class _Document(msgspec.Struct):
    buyer: dict[str, str] = msgspec.field(default_factory=dict)


def as_billed(invoice: Invoice, given: Given) -> Given:
    """The buyer as the invoice's document names it, and credits as its lines found them.

    Coupons, add-ons and items do not change in a month once it is closed.
    """
    buyer = Buyer(**msgspec.json.decode(invoice.document, type=_Document).buyer)
    granted_ms = BillingPeriod.month(invoice.month).start_ms
    used = [line for line in invoice.lines if line.kind == "credit_applied"]
    credits = tuple(
        Credit(
            CreditGrant(
                invoice.tenant,
                line.name or "",
                invoice.currency,
                line.base_minor or 0,
                granted_ms,
                priority=place,
            ),
            line.base_minor or 0,
        )
        for place, line in enumerate(used)
    )
    return replace(given, buyer=buyer, credits=credits)
