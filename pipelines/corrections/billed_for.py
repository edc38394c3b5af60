"""What subscriptions were billed for a month, corrections of it included."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from pipelines.corrections.correction_lines import owed
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceLine, invoice_id, month_billed


@dataclass(slots=True)
class Billed:
    """What a subscription was billed for a month, and in corrections of it.

    `name` is the invoice's number or id; `invoice` is None where it is void and was not made again.
    """

    subscription: str
    tenant: str
    currency: str
    name: str
    invoice: Invoice | None
    lines: list[InvoiceLine] = field(default_factory=list)


def billed_for(
    month: str, invoices: Iterable[Invoice], counted: Collection[str]
) -> dict[str, Billed]:
    """By subscription. Whose invoice is void, and not made again, has its corrections alone."""
    invoices = list(invoices)
    billed: dict[str, Billed] = {}
    for each in invoices:
        if each.month == month and each.kind == "invoice":
            own = each.subscription, each.tenant, each.currency, each.number or each.id
            billed[each.subscription] = Billed(*own, each, owed(each.lines))
    for each in invoices:
        made = [it for it in each.lines if it.kind in CORRECTION_KINDS]
        if lines := [it for it in made if each.month in counted and month_billed(it) == month]:
            void = each.subscription, each.tenant, each.currency
            none = Billed(*void, invoice_id(each.subscription, month), None)
            billed.setdefault(each.subscription, none).lines += lines
    return billed
