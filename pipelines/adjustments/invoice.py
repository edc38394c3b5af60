"""The whole of an invoice's adjusting lines, rule after rule: the specification of `bulk`."""

from pipelines.adjustments.bookings import booked_lines
from pipelines.adjustments.buckets import filled
from pipelines.adjustments.case import Case
from pipelines.adjustments.credits import credit_lines
from pipelines.adjustments.discounts import discounts
from pipelines.adjustments.limits import maximum, minimum
from pipelines.adjustments.taxes import tax_lines
from schemas.invoice import InvoiceLine


def adjust(case: Case) -> list[InvoiceLine]:
    """The lines that follow from an invoice's fee and usage lines, in their order.

    Fee 49.99 and usage 1.56, 20 % off all, 19 % tax, a credit of 30.00:
    51.55 − (10.00 + 0.31) + (9.50 + 0.30 − 1.90 − 0.06) − 30.00 = 19.08.
    """
    booked = booked_lines(case)
    left = filled([*case.lines, *booked])
    capped, left = maximum(case, left)
    raised, left = minimum(case, left)
    reduced, left = discounts(case, left)
    net = [*booked, *capped, *raised, *reduced]
    taxes = list(tax_lines(case, [*case.lines, *net]))
    due_minor = sum(line.amount_minor for line in (*case.lines, *net, *taxes))
    due_minor += case.corrected_minor
    return [*net, *taxes, *credit_lines(case, due_minor)]
