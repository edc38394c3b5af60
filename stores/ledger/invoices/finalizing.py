"""Finalizing a month's invoices: the gate, the numbers, and what follows in the same transaction.

An invoice passes when its tenant's reconciliation is recorded and holds nothing, or when somebody
has overridden what holds it, and nothing else, with a name and a reason. Once finalized, an invoice
never changes but for its payment.
"""

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict, ReconciliationFailed
from stores.ledger.extras.bookings import check_items_billed
from stores.ledger.extras.credit_use import (
    apply_credits,
    check_covered,
    drafts_with_credits,
    lacks_credits,
    lock_grants,
)
from stores.ledger.extras.credits import grant_negatives
from stores.ledger.invoices.drafts import IS_DRAFT
from stores.ledger.invoices.invoices import drafts_slice
from stores.ledger.invoices.numbering import after_numbering, last_number, number
from stores.ledger.invoices.review import passes_review
from stores.ledger.months.month_slices import reconciliation_slice, segments_slice
from stores.ledger.months.slices import lock_closing
from stores.ledger.outbox import audit
from stores.ledger.part import LedgerPart, json_object, upsert
from stores.ledger.tables.closing_tables import closings, overrides, reconciled
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.record_tables import billing_events


class Finalizing(LedgerPart):
    """Invoices on their way out of draft."""

    def finalize(self, month: str, seller: str, issued_ms: int, due_ms: int) -> int:
        """Finalize and number all drafts that are not held, in one transaction; how many.

        Numbers go on in the series of seller and month, in (tenant, subscription) order. An
        invoice of zero becomes `paid` at once, and so does one below zero: it is granted as a
        prepaid credit. The closing becomes `closed`. A tenant without a
        recorded reconciliation is not finalized. Each is told as `invoice.finalized`, and what it
        uses of prepaid credits is written. In a month that is closed already a draft whose credits
        others have used stays one, and keeps nobody else back.

        Raises:
            NotFound: the month was never closed. Conflict: its drafts are not all written, or are
            older than the change of a plan, an item or the use of a credit. ReconciliationFailed:
            the month is open, and no comparison of its drafts is recorded.
        """
        with self._writing() as connection:
            is_closed = lock_closing(connection, month) is ClosingState.CLOSED
            _check_drafts_stand(connection, month)
            if not is_closed:
                _check_compared(connection, month)
            last = last_number(connection, month, seller)
            passing = sa.and_(_passes(month), _covered(connection, month, is_closed=is_closed))
            count = number(connection, month, seller, passing, last, (issued_ms, due_ms))
            _after_finalizing(connection, month, seller, issued_ms, last + count)
            if count:
                check_items_billed(connection, month, seller, issued_ms)
                apply_credits(connection, month, seller, issued_ms)
                grant_negatives(connection, month, seller, issued_ms)
                _tell(connection, month, seller, issued_ms, (last, last + count))
            return count

    def check_drafts(self, month: str) -> None:
        """Raise what `finalize` would of an open month whose drafts are not whole or compared."""
        with self._reading() as connection:
            _check_drafts_stand(connection, month)
            _check_compared(connection, month)

    def passing(self, month: str) -> int:
        """Drafts that `finalize` would number in a closed month: let go or approved since."""
        passes = sa.and_(_passes(month), ~lacks_credits(month))
        query = sa.select(sa.func.count()).where(invoices.c.month == month, IS_DRAFT, passes)
        with self._reading() as connection:
            return connection.execute(query).scalar_one()


def _check_drafts_stand(connection: sa.Connection, month: str) -> None:
    """The drafts are all there, and made by the plans as they are."""
    if segments_slice(month).marks.is_sent_back(connection):
        raise Conflict(
            f"a plan was changed within {month} after its usage was split by plans; "
            f"run `countinghouse close {month}` again"
        )
    if not drafts_slice(month).is_whole(connection):
        raise Conflict(
            f"the drafts of {month} are not all written; run `countinghouse close {month}`"
        )


def _check_compared(connection: sa.Connection, month: str) -> None:
    """Else a run that compares anew just now would find its month closed without a number."""
    marks = reconciliation_slice(month).marks
    if marks.is_whole(connection) and marks.row_count(connection):
        return
    drafts = sa.select(invoices.c.id).where(invoices.c.month == month, IS_DRAFT)
    if connection.execute(drafts.limit(1)).first():
        remedy = f"run `countinghouse close {month}`"
        raise ReconciliationFailed(f"{month}: the drafts were not reconciled; {remedy}")


def _covered(connection: sa.Connection, month: str, *, is_closed: bool) -> sa.ColumnElement[bool]:
    """Whose drafts have the credits that they count on: in an open month all, or none goes on.

    A draft of a closed month is not made again: without its credits it stays.
    """
    drafts = drafts_with_credits(month)
    lock_grants(connection, drafts)
    if is_closed:
        return ~lacks_credits(month)
    check_covered(connection, month, drafts, f"run `countinghouse close {month}` again")
    return sa.true()


def _passes(month: str) -> sa.ColumnElement[bool]:
    """The gate: may this draft be finalized?"""
    recorded = reconciliation_slice(month).live_tenants
    agrees = sa.exists().where(
        recorded, reconciled.c.tenant == invoices.c.tenant, reconciled.c.held.is_(None)
    )
    # Of what was found when it was given: another difference is another matter.
    stands = sa.exists().where(
        recorded, reconciled.c.tenant == overrides.c.tenant, reconciled.c.held == overrides.c.held
    )
    overridden = sa.exists().where(
        overrides.c.month == month,
        overrides.c.tenant == invoices.c.tenant,
        sa.or_(overrides.c.held.is_(None), stands),
    )
    agreed = sa.or_(sa.and_(invoices.c.held.is_(None), agrees), overridden)
    return sa.and_(agreed, passes_review(month, overridden))


def _after_finalizing(
    connection: sa.Connection, month: str, seller: str, now_ms: int, last: int
) -> None:
    connection.execute(
        sa.update(closings)
        .where(closings.c.month == month, closings.c.state == ClosingState.OPEN.value)
        .values(state=ClosingState.CLOSED.value, closed_ms=now_ms)
    )
    after_numbering(connection, month, seller, last)


def _tell(
    connection: sa.Connection, month: str, seller: str, now_ms: int, numbers: tuple[int, int]
) -> None:
    facts = {
        "invoice": invoices.c.id,
        "number": invoices.c.number,
        "month": invoices.c.month,
        "currency": invoices.c.currency,
        "total_minor": invoices.c.total_minor,
        "due_ms": invoices.c.due_ms,
    }
    kind = invoices.c.kind + sa.literal(".finalized")
    # Those told before, of an earlier call in the same millisecond, keep their row.
    new = sa.select(
        kind + sa.literal(":") + invoices.c.id,
        kind,
        invoices.c.tenant,
        sa.literal(now_ms),
        json_object(connection, facts),
    ).where(invoices.c.month == month, invoices.c.seller == seller, invoices.c.issued_ms == now_ms)
    told = upsert(connection, billing_events).from_select(
        ["event_id", "type", "tenant", "at_ms", "data"],
        new.order_by(invoices.c.tenant, invoices.c.subscription, invoices.c.id),
    )
    connection.execute(told.on_conflict_do_nothing())
    detail = {"seller": seller, "first": numbers[0] + 1, "last": numbers[1]}
    audit(connection, now_ms, "close", "invoices.finalized", {month: detail})
