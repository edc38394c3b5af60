"""How invoices use credits: what they have used, what drafts count on, and whether it is there.

An application is written in the transaction that finalizes its invoice, so no re-run burns a
credit twice; a draft only counts on it. A draft of a closed month is not made again: what it counts
on is as good as used.
"""

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict
from schemas.invoice import InvoiceState
from stores.ledger.part import upsert
from stores.ledger.tables.closing_tables import closings
from stores.ledger.tables.extras_tables import credit_applications, credit_grants
from stores.ledger.tables.invoice_tables import counted_lines, invoices

_TOLD = 5


def applied_minor(grants: sa.FromClause) -> sa.ColumnElement[int]:
    """What invoices have used of a grant, and not given back."""
    rows = credit_applications.c
    used = sa.select(_sum(rows.amount_minor)).where(
        rows.tenant == grants.c.tenant, rows.grant_key == grants.c.key, rows.returned_ms.is_(None)
    )
    return used.scalar_subquery()


def reserved_minor(
    grants: sa.FromClause, among: sa.ColumnElement[bool] | None = None
) -> sa.ColumnElement[int]:
    """What drafts count on of a grant, some of them or all."""
    lines, drafts = counted_lines.c, invoices.c
    counted = sa.select(_sum(-lines.amount_minor)).where(
        lines.invoice == drafts.serial,
        _is_credit(),
        lines.name == grants.c.key,
        drafts.tenant == grants.c.tenant,
        drafts.state == InvoiceState.DRAFT.value,
    )
    if among is not None:
        counted = counted.where(among)
    return counted.scalar_subquery()


def of_closed_months() -> sa.ColumnElement[bool]:
    """Invoices of months that are closed."""
    closed = sa.select(closings.c.month).where(closings.c.state == ClosingState.CLOSED.value)
    return invoices.c.month.in_(closed)


def ahead_of(month: str) -> sa.ColumnElement[bool]:
    """Invoices whose drafts are served with credits before those that a month makes now."""
    return sa.or_(invoices.c.month < month, of_closed_months())


def drafts_with_credits(month: str) -> sa.ColumnElement[bool]:
    """The lines of credits on drafts of a month."""
    is_draft = invoices.c.state == InvoiceState.DRAFT.value
    return sa.and_(_is_credit(), invoices.c.month == month, is_draft)


def issued_with_credits(month: str, seller: str, now_ms: int) -> sa.ColumnElement[bool]:
    """The lines of credits on what was issued just now."""
    its = invoices.c
    own = (its.month == month, its.seller == seller, its.issued_ms == now_ms)
    return sa.and_(_is_credit(), *own)


def apply_credits(connection: sa.Connection, month: str, seller: str, now_ms: int) -> None:
    """Write what the invoices issued just now have used; that it is there is checked apart."""
    lines = counted_lines.c
    used = (
        sa.select(
            invoices.c.tenant, lines.name, invoices.c.id, -lines.amount_minor, sa.literal(now_ms)
        )
        .join_from(counted_lines, invoices, lines.invoice == invoices.c.serial)
        .where(issued_with_credits(month, seller, now_ms))
    )
    names = ["tenant", "grant_key", "invoice", "amount_minor", "applied_ms"]
    put = upsert(connection, credit_applications).from_select(names, used)
    connection.execute(put.on_conflict_do_nothing())


def give_back(connection: sa.Connection, invoice: str, now_ms: int) -> int:
    """Give back the credits that an invoice has used; how many they were."""
    used = sa.and_(
        credit_applications.c.invoice == invoice, credit_applications.c.returned_ms.is_(None)
    )
    given = sa.update(credit_applications).where(used).values(returned_ms=now_ms)
    return connection.execute(given).rowcount


def lock_grants(connection: sa.Connection, by: sa.ColumnElement[bool]) -> None:
    """Let another month that uses the grants of these lines wait, and then see what is used."""
    named = _named(by)
    key = sa.tuple_(credit_grants.c.tenant, credit_grants.c.key)
    used = key.in_(sa.select(named.c.tenant, named.c.key))
    locked = sa.select(credit_grants.c.key).where(used).with_for_update()
    connection.execute(locked.order_by(credit_grants.c.tenant, credit_grants.c.key)).all()


def check_covered(
    connection: sa.Connection, month: str, by: sa.ColumnElement[bool], remedy: str
) -> None:
    """No credit of these lines of a month is used beyond what was granted, earlier drafts' too.

    Raises:
        Conflict: another invoice has used it since the drafts were made, or it was withdrawn.
    """
    named = _named(by)
    query = sa.select(named.c.tenant, named.c.key).where(_is_overdrawn(named, month))
    overdrawn = connection.execute(query.limit(_TOLD)).all()
    if overdrawn:
        told = ", ".join(f"{row.key} of {row.tenant}" for row in overdrawn)
        raise Conflict(
            f"credits were used by other invoices since the drafts of {month} were made, or are "
            f"withdrawn ({told}); {remedy}"
        )


def lacks_credits(month: str) -> sa.ColumnElement[bool]:
    """Does a draft of a month count on credits that are not there for it any more?"""
    named = _named(drafts_with_credits(month))
    overdrawn = sa.select(named.c.serial).where(_is_overdrawn(named, month))
    return invoices.c.serial.in_(overdrawn)


def _named(by: sa.ColumnElement[bool]) -> sa.Subquery:
    """Which invoices' lines name which credits."""
    found = sa.select(invoices.c.serial, invoices.c.tenant, counted_lines.c.name.label("key"))
    joined = found.join_from(counted_lines, invoices, counted_lines.c.invoice == invoices.c.serial)
    return joined.where(by).subquery()


def _is_overdrawn(named: sa.FromClause, month: str) -> sa.ColumnElement[bool]:
    """A grant that was withdrawn is none any more: nothing of it may be used."""
    rows = credit_grants.c
    granted = sa.select(_sum(rows.amount_minor)).where(
        rows.tenant == named.c.tenant, rows.key == named.c.key
    )
    among = sa.or_(ahead_of(month), invoices.c.month == month)
    used = applied_minor(named) + reserved_minor(named, among)
    return used > granted.scalar_subquery()


def _sum(amounts: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """A sum in 64 bits, 0 of no rows; Postgres sums 64 bits in a decimal of its own."""
    return sa.cast(sa.func.coalesce(sa.func.sum(amounts), 0), sa.BigInteger)


def _is_credit() -> sa.ColumnElement[bool]:
    # A literal, so that SQLite sees that the partial index of the same condition fits.
    kind: sa.ColumnElement[str] = sa.literal_column("'credit_applied'")
    return counted_lines.c.kind == kind
