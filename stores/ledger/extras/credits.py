"""Prepaid credits: who was granted what, and what is left; `credit_use` says who has used it."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.extras import USUAL_PRIORITY, CreditBalance, CreditGrant, Kept
from stores.ledger.extras.credit_use import applied_minor, of_closed_months, reserved_minor
from stores.ledger.extras.keeping import check_currency, keep
from stores.ledger.outbox import audit
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.extras_tables import credit_grants
from stores.ledger.tables.invoice_tables import invoices

_GRANT = tuple(field.name for field in fields(CreditGrant))


class Credits(LedgerPart):
    """The table `credit_grants`."""

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


def withdraw_grant(connection: sa.Connection, tenant: str, number: str) -> bool:
    """Take back the credit that an invoice or note below zero was granted as; was there one?

    A draft of an open month that counts on it is made again, since it is no longer there.

    Raises:
        Conflict: an invoice has used it, or a draft of a closed month counts on it.
    """
    own = sa.and_(credit_grants.c.tenant == tenant, credit_grants.c.key == f"invoice:{number}")
    # First the lock, then a statement of its own: it must see what the last holder did.
    connection.execute(sa.select(credit_grants.c.key).where(own).with_for_update()).all()
    used = applied_minor(credit_grants) + reserved_minor(credit_grants, of_closed_months())
    if connection.execute(sa.select(used).where(own)).scalar():
        told = f"the credit of {number} is used, or a held draft counts on it"
        raise Conflict(f"{told}; charge an item instead")
    return connection.execute(sa.delete(credit_grants).where(own)).rowcount > 0


def _balance(row: sa.Row[Any], now_ms: int) -> CreditBalance:
    grant = CreditGrant(**{name: row._mapping[name] for name in _GRANT})
    rest = grant.amount_minor - row.applied
    is_over = grant.expires_ms is not None and grant.expires_ms <= now_ms
    # What a draft counts on has been used in time, whatever the clock says by now.
    left = min(row.reserved, rest) if is_over else rest
    return CreditBalance(grant, row.applied, rest - left, left, row.reserved)
