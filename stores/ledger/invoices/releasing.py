"""Letting a held draft go, by somebody's word: the override of a difference, or of a hold.

It is finalized with the others of its month; in a closed month by the next call of `finalize`.
"""

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

        Whom only a person holds back is no exception: it passes by its figures.

        Raises:
            NotFound: the tenant has no draft in the month. Conflict: the month is closed, and
            others have used the credits that the draft counts on.
        """
        now_ms = self._clock()
        with self._writing() as connection:
            if connection.execute(_drafts(month, tenant)).first() is None:
                raise NotFound(f"tenant {tenant!r} has no draft in {month}")
            _check_covered(connection, month, tenant)
            if let_go(connection, month, tenant) and _agrees(connection, month, tenant):
                _clear(connection, month, tenant)
                detail = {tenant: {"month": month, "why": why}}
                audit(connection, now_ms, who, "hold.released", detail)
                return
            told = {"who": who, "why": why, "at_ms": now_ms}
            put = upsert(connection, overrides).values(month=month, tenant=tenant, **told)
            connection.execute(
                put.on_conflict_do_update(index_elements=["month", "tenant"], set_=told)
            )
            audit(
                connection, now_ms, who, "hold.overridden", {tenant: {"month": month, "why": why}}
            )


def _own(month: str, tenant: str) -> sa.ColumnElement[bool]:
    return sa.and_(invoices.c.month == month, invoices.c.tenant == tenant, IS_DRAFT)


def _drafts(month: str, tenant: str) -> sa.Select[tuple[str]]:
    return sa.select(invoices.c.id).where(_own(month, tenant))


def _check_covered(connection: sa.Connection, month: str, tenant: str) -> None:
    """A draft of a closed month is not made again: it has its credits, or it is not let go."""
    if lock_closing(connection, month) is ClosingState.CLOSED:
        own = sa.and_(drafts_with_credits(month), invoices.c.tenant == tenant)
        check_covered(connection, month, own, "make one of those void, then release it again")


def _agrees(connection: sa.Connection, month: str, tenant: str) -> bool:
    """Is the tenant's comparison recorded, and holds it nothing?"""
    own = sa.and_(reconciliation_slice(month).live_tenants, reconciled.c.tenant == tenant)
    found = connection.execute(sa.select(reconciled.c.held).where(own)).scalars().all()
    return bool(found) and not any(found)


def _clear(connection: sa.Connection, month: str, tenant: str) -> None:
    connection.execute(sa.update(invoices).where(_own(month, tenant)).values(held=None))
