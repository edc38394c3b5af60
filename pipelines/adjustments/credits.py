"""Prepaid credits: money that pays an invoice before collection does.

The order is by expiry, then priority, then age; never more than is due, never more than is left.
"""

from collections.abc import Iterable, Iterator

from pipelines.adjustments.case import Case
from schemas.extras import Credit, CreditGrant
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod


def is_usable(grant: CreditGrant, period: BillingPeriod) -> bool:
    """Is a grant valid at the period's last instant? One that expires at its end still is."""
    granted = grant.granted_ms < period.end_ms
    return granted and (grant.expires_ms is None or grant.expires_ms >= period.end_ms)


def burn_down(due_minor: int, credits: Iterable[Credit]) -> Iterator[tuple[Credit, int]]:
    """Each credit with what it pays of an amount due, in the order in which they are used."""
    for credit in sorted(credits, key=_burn_order):
        paid = min(credit.left_minor, due_minor)
        if paid > 0:
            due_minor -= paid
            yield credit, paid


def _burn_order(credit: Credit) -> tuple[bool, int, int, int, str]:
    grant = credit.grant
    never = grant.expires_ms is None
    return never, grant.expires_ms or 0, grant.priority, grant.granted_ms, grant.key


def credit_lines(case: Case, due_minor: int) -> Iterator[InvoiceLine]:
    """A line for each credit that pays; `base_minor` is what it held before."""
    usable = (
        credit
        for credit in case.given.credits
        if credit.grant.currency == case.currency and is_usable(credit.grant, case.period)
    )
    for credit, paid in burn_down(due_minor, usable):
        left = credit.left_minor
        name = credit.grant.key
        yield case.line("credit_applied", case.last_plan, -paid, name=name, base_minor=left)
