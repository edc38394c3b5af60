"""Prepaid credits: who was granted what, which invoices used it, and what is left.

An application is written in the transaction that finalizes its invoice, so no re-run burns a
credit twice; a draft only counts on it.
"""

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.extras import USUAL_PRIORITY, CreditBalance, CreditGrant, Kept
from schemas.invoice import InvoiceState
from stores.ledger.extras.keeping import check_currency, keep
from stores.ledger.outbox import audit
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.extras_tables import credit_applications, credit_grants
from stores.ledger.tables.invoice_tables import counted_lines, invoices

_TOLD = 5
_GRANT = tuple(field.name for field in fields(CreditGrant))


class Credits(LedgerPart):
    """The tables `credit_grants` and `credit_applications`."""

    def grant_credit(self, grant: CreditGrant, who: str) -> Kept:
        """Grant a credit; drafts that are made from now on use it.

        Raises:
            NotFound: no such tenant. Conflict: the key is another grant's, or the tenant is billed
            in another currency.
        """
        with self._writing() as connection:
            check_currency(connection, grant.tenant, grant.currency)
            kept = keep(connection, credit_grants, asdict(grant), f"the credit {grant.key!r}")
            if kept == "added":
                told = {name: value for name, value in asdict(grant).items() if name != "tenant"}
                audit(connection, self._clock(), who, "credit.granted", {grant.tenant: told})
            return kept

    def credit_balances(self, now_ms: int, tenant: str | None = None) -> list[CreditBalance]:
        """Every grant with what became of it by now, by tenant in the order of their use."""
        grants = credit_grants.c
        query = sa.select(
            *(grants[name] for name in _GRANT),
            applied_minor(credit_grants).label("applied"),
            reserved_minor(credit_grants).label("reserved"),
        ).order_by(
            grants.tenant,
            grants.expires_ms.is_(None),
            *(grants.expires_ms, grants.priority, grants.granted_ms, grants.key),
        )
        if tenant is not None:
            query = query.where(grants.tenant == tenant)
        with self._reading() as connection:
            rows: Iterable[sa.Row[Any]] = connection.execute(query)
            return [_balance(row, now_ms) for row in rows]


def applied_minor(grants: sa.FromClause) -> sa.ColumnElement[int]:
    """What invoices have used of a grant, and not given back."""
    rows = credit_applications.c
    used = sa.select(_sum(rows.amount_minor)).where(
        rows.tenant == grants.c.tenant, rows.grant_key == grants.c.key, rows.returned_ms.is_(None)
    )
    return used.scalar_subquery()


def reserved_minor(grants: sa.FromClause, before: str | None = None) -> sa.ColumnElement[int]:
    """What drafts count on of a grant, of months before one or of all."""
    lines, drafts = counted_lines.c, invoices.c
    counted = sa.select(_sum(-lines.amount_minor)).where(
        lines.invoice == drafts.serial,
        _is_credit(),
        lines.name == grants.c.key,
        drafts.tenant == grants.c.tenant,
        drafts.state == InvoiceState.DRAFT.value,
    )
    if before is not None:
        counted = counted.where(drafts.month < before)
    return counted.scalar_subquery()


def apply_credits(connection: sa.Connection, month: str, seller: str, now_ms: int) -> None:
    """Write what the invoices finalized just now have used.

    Raises:
        Conflict: another invoice has used it since the drafts were made.
    """
    lines = counted_lines.c
    own = sa.and_(
        _is_credit(),
        invoices.c.month == month,
        invoices.c.seller == seller,
        invoices.c.issued_ms == now_ms,
    )
    _lock_grants(connection, own)
    used = (
        sa.select(
            invoices.c.tenant, lines.name, invoices.c.id, -lines.amount_minor, sa.literal(now_ms)
        )
        .join_from(counted_lines, invoices, lines.invoice == invoices.c.serial)
        .where(own)
    )
    names = ["tenant", "grant_key", "invoice", "amount_minor", "applied_ms"]
    put = upsert(connection, credit_applications).from_select(names, used)
    if connection.execute(put.on_conflict_do_nothing()).rowcount:
        _check_covered(connection, month)


def grant_negatives(connection: sa.Connection, month: str, seller: str, now_ms: int) -> None:
    """Grant what invoices and notes finalized just now owe to their tenants, by their number."""
    owed = sa.select(
        invoices.c.tenant,
        granted_by(invoices.c.number),
        invoices.c.currency,
        -invoices.c.total_minor,
        sa.literal(now_ms),
        sa.literal(USUAL_PRIORITY),
    ).where(
        invoices.c.month == month,
        invoices.c.seller == seller,
        invoices.c.issued_ms == now_ms,
        invoices.c.total_minor < 0,
    )
    names = ["tenant", "key", "currency", "amount_minor", "granted_ms", "priority"]
    put = upsert(connection, credit_grants).from_select(names, owed)
    connection.execute(put.on_conflict_do_nothing())


def granted_by(number: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """The key of the credit that an invoice or note below zero is granted as."""
    key: sa.ColumnElement[str] = sa.literal("invoice:") + number
    return key


def _lock_grants(connection: sa.Connection, used_by: sa.ColumnElement[bool]) -> None:
    """Let another month that uses the same grants wait, and then see what this one has used."""
    used = (
        sa.select(invoices.c.tenant, counted_lines.c.name)
        .join_from(counted_lines, invoices, counted_lines.c.invoice == invoices.c.serial)
        .where(used_by)
    )
    key = sa.tuple_(credit_grants.c.tenant, credit_grants.c.key)
    locked = sa.select(credit_grants.c.key).where(key.in_(used)).with_for_update()
    connection.execute(locked.order_by(credit_grants.c.tenant, credit_grants.c.key)).all()


def _check_covered(connection: sa.Connection, month: str) -> None:
    """No grant that the month's invoices have used is used beyond what it was."""
    touched = sa.exists().where(
        credit_applications.c.tenant == credit_grants.c.tenant,
        credit_applications.c.grant_key == credit_grants.c.key,
        credit_applications.c.invoice == invoices.c.id,
        invoices.c.month == month,
    )
    used = applied_minor(credit_grants) + reserved_minor(credit_grants, before=month)
    query = sa.select(credit_grants.c.tenant, credit_grants.c.key).where(
        touched, used > credit_grants.c.amount_minor
    )
    overdrawn = connection.execute(query.limit(_TOLD)).all()
    if overdrawn:
        told = ", ".join(f"{row.key} of {row.tenant}" for row in overdrawn)
        raise Conflict(
            f"credits were used by other invoices since the drafts of {month} were made ({told}); "
            f"run `countinghouse close {month}` again"
        )


def _sum(amounts: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """A sum in 64 bits, 0 of no rows; Postgres sums 64 bits in a decimal of its own."""
    return sa.cast(sa.func.coalesce(sa.func.sum(amounts), 0), sa.BigInteger)


def _is_credit() -> sa.ColumnElement[bool]:
    # A literal, so that SQLite sees that the partial index of the same condition fits.
    kind: sa.ColumnElement[str] = sa.literal_column("'credit_applied'")
    return counted_lines.c.kind == kind


def _balance(row: sa.Row[Any], now_ms: int) -> CreditBalance:
    grant = CreditGrant(**{name: row._mapping[name] for name in _GRANT})
    rest = grant.amount_minor - row.applied
    is_over = grant.expires_ms is not None and grant.expires_ms <= now_ms
    # What a draft counts on has been used in time, whatever the clock says by now.
    left = min(row.reserved, rest) if is_over else rest
    return CreditBalance(grant, row.applied, rest - left, left, row.reserved)
