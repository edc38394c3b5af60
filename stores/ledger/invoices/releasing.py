"""Letting a held draft go, by somebody's word: the override of a difference, or of a hold.

It is finalized with the others of its month; in a closed month by the next call of `finalize`.
"""

from typing import Any

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import NotFound
from stores.ledger.extras.credit_use import check_covered, drafts_with_credits
from stores.ledger.invoices.drafts import IS_DRAFT
from stores.ledger.invoices.review import let_go
from stores.ledger.months.month_slices import reconciliation_slice
from stores.ledger.months.slices import lock_closing
from stores.ledger.outbox import audit
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.closing_tables import overrides, reconciled
from stores.ledger.tables.invoice_tables import invoices


class Releasing(LedgerPart):
    """The table `overrides`."""

    def override(self, month: str, tenant: str, who: str, why: str) -> None:
        """Let a held tenant's draft be finalized; the name and reason stay in the audit log.

        A person's hold is taken back. Where the comparison has found a difference, that is
        overridden, and no other that a later comparison finds; where it has not, the draft passes
        by its figures, those of a later comparison too.

        Raises:
            NotFound: the tenant has no draft in the month. Conflict: the month is closed, and
            others have used the credits that the draft counts on.
        """
        now_ms, detail = self._clock(), {tenant: {"month": month, "why": why}}
        own = sa.and_(invoices.c.month == month, invoices.c.tenant == tenant, IS_DRAFT)
        with self._writing() as connection:
            if connection.execute(sa.select(invoices.c.id).where(own)).first() is None:
                raise NotFound(f"tenant {tenant!r} has no draft in {month}")
            is_closed = lock_closing(connection, month) is ClosingState.CLOSED
            if is_closed:
                _check_covered(connection, month, tenant)
            let_go(connection, month, tenant)
            is_compared, held = _found(connection, month, tenant)
            # Who is not compared yet is compared later; in a closed month there is a word alone.
            if held or (is_closed and not is_compared):
                told = {"who": who, "why": why, "at_ms": now_ms, "held": held}
                _override(connection, month, tenant, told)
                audit(connection, now_ms, who, "hold.overridden", detail)
            else:
                connection.execute(sa.update(invoices).where(own).values(held=None))
                audit(connection, now_ms, who, "hold.released", detail)


def _check_covered(connection: sa.Connection, month: str, tenant: str) -> None:
    """A draft of a closed month is not made again: it has its credits, or it is not let go."""
    own = sa.and_(drafts_with_credits(month), invoices.c.tenant == tenant)
    check_covered(connection, month, own, "make one of those void, then release it again")


def _found(connection: sa.Connection, month: str, tenant: str) -> tuple[bool, str | None]:
    """Was the tenant compared, and what holds it by that?"""
    own = sa.and_(reconciliation_slice(month).live_tenants, reconciled.c.tenant == tenant)
    row = connection.execute(sa.select(reconciled.c.held).where(own)).first()
    return row is not None, row.held if row else None


def _override(connection: sa.Connection, month: str, tenant: str, told: dict[str, Any]) -> None:
    put = upsert(connection, overrides).values(month=month, tenant=tenant, **told)
    connection.execute(put.on_conflict_do_update(index_elements=["month", "tenant"], set_=told))
