"""Rows that a command adds once, whatever is repeated, and what that does to months in work.

A month that is closed takes nothing new. The drafts of an open one are sent back: it cannot be
finalized before they are made again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict, NotFound, PeriodClosed
from schemas.extras import Kept
from schemas.period import BillingPeriod
from stores.ledger.part import upsert
from stores.ledger.tables.closing_tables import closing_slices, closings
from stores.ledger.tables.subscription_tables import tenants


def keep(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any], what: str) -> Kept:
    """Insert a row unless it is there.

    Raises:
        Conflict: its key is taken by another row; `what` names it.
    """
    put = upsert(connection, table).values(row).on_conflict_do_nothing()
    if connection.execute(put.returning(*table.primary_key)).first() is not None:
        return "added"
    key = sa.and_(*(column == row[column.name] for column in table.primary_key))
    stored = connection.execute(sa.select(table).where(key)).mappings().one()
    if any(stored[name] != value for name, value in row.items()):
        told = ", ".join(f"{name} {value}" for name, value in stored.items())
        raise Conflict(f"{what} is there already with {told}; give this one another key")
    return "unchanged"


def check_tenant(connection: sa.Connection, tenant: str) -> sa.Row[Any]:
    """The tenant's row. Raises NotFound."""
    row = connection.execute(sa.select(tenants).where(tenants.c.tenant == tenant)).first()
    if row is None:
        raise NotFound(f"there is no tenant {tenant!r}; give it a subscription first")
    return row


def hold_tenant(connection: sa.Connection, tenant: str) -> sa.Row[Any]:
    """The tenant's row, whose currency stays until the transaction ends. Raises NotFound."""
    own = sa.select(tenants.c.tenant).where(tenants.c.tenant == tenant)
    connection.execute(own.with_for_update(read=True)).all()
    return check_tenant(connection, tenant)


def check_currency(connection: sa.Connection, tenant: str, currency: str) -> None:
    """Raise Conflict where a tenant is billed in another currency, NotFound without one.

    It stays the tenant's until the transaction ends.
    """
    own = hold_tenant(connection, tenant).currency
    if own != currency:
        raise Conflict(f"{tenant} is billed in {own}; an amount in {currency} is never converted")


def check_open_from(connection: sa.Connection, starts_ms: int) -> None:
    """Raise PeriodClosed when an instant lies in a closed month, or before one.

    What begins then would reach into that month. Those that are open stay so until the transaction
    ends.
    """
    _check_open(connection, closings.c.month >= BillingPeriod.month_of(starts_ms).key)


def check_month_open(connection: sa.Connection, month: str) -> None:
    """Raise PeriodClosed when a month is closed; until the transaction ends it stays open."""
    _check_open(connection, closings.c.month == month)


def _check_open(connection: sa.Connection, months: sa.ColumnElement[bool]) -> None:
    query = sa.select(closings.c.month, closings.c.state).where(months).order_by(closings.c.month)
    found = connection.execute(query.with_for_update()).all()
    closed = [row.month for row in found if row.state == ClosingState.CLOSED]
    if closed:
        raise PeriodClosed(
            f"{closed[-1]} is closed, and its invoices do not change; take a later month"
        )


def send_back_drafts(connection: sa.Connection, starts_ms: int = 0) -> None:
    """Let no month be finalized from drafts that do not know yet what begins at an instant."""
    _send_back(connection, starts_ms, ("drafts",))


def send_back_plans(connection: sa.Connection, starts_ms: int) -> None:
    """The same where a plan is another from an instant on: usage was split by the one before."""
    _send_back(connection, starts_ms, ("segments", "drafts"))


def _send_back(connection: sa.Connection, starts_ms: int, slices: Sequence[str]) -> None:
    month = BillingPeriod.month_of(starts_ms).key
    # Whoever finalizes waits for this, or this for them.
    in_work = sa.select(closings.c.month).where(
        closings.c.state == ClosingState.OPEN.value, closings.c.month >= month
    )
    months = list(connection.execute(in_work.with_for_update()).scalars())
    connection.execute(
        sa.update(closing_slices)
        .where(closing_slices.c.slice.in_(slices), closing_slices.c.month.in_(months))
        .values(started=closing_slices.c.started + 1)
    )
