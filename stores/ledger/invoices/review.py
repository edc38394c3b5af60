"""A person's look at drafts, before they are finalized: holding one back, approving them.

A hold outlives the draft that it was given for; an approval is of one document, and a draft that
is made anew otherwise needs another.
"""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from schemas.errors import NotFound
from stores.ledger.invoices.drafts import IS_DRAFT
from stores.ledger.months.slices import lock_closing
from stores.ledger.outbox import audit
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.review_tables import approvals, holds, months_to_approve

UNAPPROVED = "waits for approval"


class Review(LedgerPart):
    """The tables `holds`, `approvals` and `months_to_approve`."""

    def hold_back(self, month: str, tenant: str, who: str, why: str) -> None:
        """Keep a tenant's drafts of the month back, also those made anew, until they are released.

        Raises:
            NotFound: the tenant has no draft in the month, or that was never closed.
        """
        drafts = sa.and_(invoices.c.month == month, invoices.c.tenant == tenant, IS_DRAFT)
        at_ms = self._clock()
        told = {"who": who, "why": why, "at_ms": at_ms}
        with self._writing() as connection:
            # Whoever finalizes has chosen its drafts already: it would number this one in spite.
            lock_closing(connection, month)
            held = sa.update(invoices).where(drafts).values(held=_in_words(who, why))
            if not connection.execute(held).rowcount:
                raise NotFound(f"tenant {tenant!r} has no draft in {month}")
            put = upsert(connection, holds).values(month=month, tenant=tenant, **told)
            connection.execute(
                put.on_conflict_do_update(index_elements=["month", "tenant"], set_=told)
            )
            detail = {tenant: {"month": month, "why": why}}
            audit(connection, at_ms, who, "hold.placed", detail)

    def ask_for_approval(self, month: str) -> None:
        """From now on, nothing of the month is finalized that nobody has approved."""
        with self._writing() as connection:
            put = upsert(connection, months_to_approve).values(month=month)
            connection.execute(put.on_conflict_do_nothing())

    def approve(self, month: str, tenants: Collection[str] | None, who: str, why: str) -> int:
        """Approve the drafts of these tenants, or all, that nothing holds; how many it were.

        Raises:
            NotFound: one of the tenants has no draft in the month that could be approved.
        """
        at_ms = self._clock()
        wanted = sa.and_(invoices.c.month == month, IS_DRAFT, invoices.c.held.is_(None))
        if tenants is not None:
            wanted = sa.and_(wanted, invoices.c.tenant.in_(tenants))
        with self._writing() as connection:
            if tenants is not None:
                query = sa.select(invoices.c.tenant).where(wanted)
                _all_there(month, set(tenants) - set(connection.execute(query).scalars()))
            count = _approve(connection, wanted, who, at_ms)
            named = ["every draft"] if tenants is None else sorted(tenants)
            audit(
                connection,
                at_ms,
                who,
                "drafts.approved",
                {tenant: {"month": month, "why": why} for tenant in named},
            )
            return count

    def unapproved(self, month: str) -> int:
        """Drafts that nothing holds and nobody has approved as they are."""
        waiting = sa.and_(invoices.c.month == month, IS_DRAFT, invoices.c.held.is_(None))
        query = sa.select(sa.func.count()).where(waiting, ~_is_approved())
        with self._reading() as connection:
            return connection.execute(query).scalar_one()


def _approve(
    connection: sa.Connection, wanted: sa.ColumnElement[bool], who: str, at_ms: int
) -> int:
    rows = sa.select(
        invoices.c.id, invoices.c.document_hash, sa.literal(who), sa.literal(at_ms)
    ).where(wanted)
    names = ["invoice", "document_hash", "who", "at_ms"]
    put = upsert(connection, approvals).from_select(names, rows)
    changed = {name: put.excluded[name] for name in names[1:]}
    connection.execute(put.on_conflict_do_update(index_elements=["invoice"], set_=changed))
    return connection.execute(sa.select(sa.func.count()).where(wanted)).scalar_one()


def _all_there(month: str, missing: Collection[str]) -> None:
    if missing:
        named = ", ".join(sorted(missing))
        raise NotFound(f"no draft of {month} can be approved of {named}: it is held, or not there")


def words_of_holds(connection: sa.Connection, month: str) -> Mapping[str, str]:
    """Why people hold tenants of a month back, by tenant."""
    rows = connection.execute(sa.select(holds).where(holds.c.month == month))
    return {row.tenant: _in_words(row.who, row.why) for row in rows}


def let_go(connection: sa.Connection, month: str, tenant: str) -> None:
    """Take a person's hold back, if there is one."""
    own = sa.and_(holds.c.month == month, holds.c.tenant == tenant)
    connection.execute(sa.delete(holds).where(own))


def passes_review(month: str, overridden: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Nobody holds the draft back, and where approval was asked for somebody has said yes to it."""
    is_held = sa.exists().where(holds.c.month == month, holds.c.tenant == invoices.c.tenant)
    is_asked = sa.exists().where(months_to_approve.c.month == month)
    return sa.and_(~is_held, sa.or_(~is_asked, _is_approved(), overridden))


def why_held() -> sa.ColumnElement[str | None]:
    """Why an invoice is still a draft: what holds it, or that it waits for somebody's yes.

    One that was released keeps its reason in its row; it holds nothing any more.
    """
    is_asked = sa.exists().where(months_to_approve.c.month == invoices.c.month)
    waits = sa.and_(IS_DRAFT, invoices.c.held.is_(None), is_asked, ~_is_approved())
    return sa.case((waits, sa.literal(UNAPPROVED)), (IS_DRAFT, invoices.c.held))


def _is_approved() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        approvals.c.invoice == invoices.c.id,
        approvals.c.document_hash == invoices.c.document_hash,
    )


def _in_words(who: str, why: str) -> str:
    return f"{who} holds it back: {why}"
