"""What tenants have beside their plans, as a month's close reads it: whole tables at once."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    REDEMPTION_COLUMNS,
    Extras,
)
from schemas.period import BillingPeriod
from stores.ledger.columns import arrow_schema, read_batches
from stores.ledger.extras.credit_use import ahead_of, applied_minor, reserved_minor
from stores.ledger.part import LedgerPart
from stores.ledger.tables.extras_tables import (
    booked_add_ons,
    coupon_redemptions,
    credit_grants,
    one_off_items,
)
from stores.ledger.tables.subscription_tables import tenants


class Given(LedgerPart):
    """Reads the tables of `bookings.py` and `credits.py`, and tenants' profiles."""

    def extras(self, month: str) -> Extras:
        """What tenants have beside their plans, as the month's invoices may use it.

        Of a credit what no finalized invoice has used, and no draft counts on of an earlier month,
        or of a closed one, where it is not made again.
        """
        reach = BillingPeriod.month(month).reach
        with self._reading() as connection:
            return Extras(
                buyers=_read(connection, _buyers(), BUYER_COLUMNS),
                redemptions=_read(
                    connection, _within(coupon_redemptions, reach), REDEMPTION_COLUMNS
                ),
                # A year of an add-on that began before may wait for a plan until now.
                add_ons=_read(
                    connection,
                    sa.select(booked_add_ons).where(booked_add_ons.c.starts_ms < reach.end_ms),
                    ADD_ON_COLUMNS,
                ),
                items=_read(
                    connection,
                    sa.select(one_off_items).where(one_off_items.c.month == month),
                    ITEM_COLUMNS,
                ),
                credits=_read(connection, _credits(month, reach), CREDIT_COLUMNS),
            )


def _buyers() -> sa.Select[Any]:
    columns = tenants.c
    known = sa.or_(*(columns[name].is_not(None) for name in ("country", "region", "tax_id")))
    return sa.select(tenants).where(known)


def _within(table: sa.Table, span: BillingPeriod) -> sa.Select[Any]:
    has_ended = sa.and_(table.c.ends_ms.is_not(None), table.c.ends_ms <= span.start_ms)
    return sa.select(table).where(table.c.starts_ms < span.end_ms, ~has_ended)


def _credits(month: str, span: BillingPeriod) -> sa.Select[Any]:
    grants = credit_grants.c
    used = applied_minor(credit_grants) + reserved_minor(credit_grants, ahead_of(month))
    found = (
        sa.select(credit_grants, (grants.amount_minor - used).label("left_minor"))
        .where(grants.granted_ms < span.end_ms)
        .where(sa.or_(grants.expires_ms.is_(None), grants.expires_ms > span.start_ms))
        .subquery()
    )
    return sa.select(found).where(found.c.left_minor > 0)


def _read(connection: sa.Connection, query: sa.Select[Any], columns: Mapping[str, str]) -> pa.Table:
    """The query's rows as a table of these columns, ordered by its key."""
    rows = query.subquery()
    chosen = sa.select(*(rows.c[name] for name in columns))
    ordered = chosen.order_by(*(rows.c[name] for name in list(columns)[:2]))
    batches = read_batches(connection, ordered, columns)
    return pa.Table.from_batches(batches, arrow_schema(columns))
