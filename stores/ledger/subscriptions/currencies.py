"""What tenants are billed in, and for whom that stays as it is.

It may be another as long as nothing of a tenant is in it: amounts are never converted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict
from schemas.invoice import InvoiceState
from stores.ledger.catalogs import catalogs_of
from stores.ledger.part import IN_CHUNK, LedgerPart, chunks
from stores.ledger.subscriptions.subscription_rows import BeforeAfter
from stores.ledger.tables.closing_tables import closings
from stores.ledger.tables.extras_tables import (
    booked_add_ons,
    coupon_redemptions,
    credit_grants,
    one_off_items,
)
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.subscription_tables import tenants


class Currencies(LedgerPart):
    """The column `currency` of the table `tenants`."""

    def currencies(self, named: Collection[str]) -> dict[str, str]:
        """What each of these tenants is billed in; who is not there yet is left out."""
        found: dict[str, str] = {}
        with self._reading() as connection:
            for chunk in chunks(sorted(named), IN_CHUNK):
                own = sa.select(tenants.c.tenant, tenants.c.currency)
                rows = connection.execute(own.where(tenants.c.tenant.in_(chunk)))
                found |= {row.tenant: row.currency for row in rows}
        return found

    def why_currencies_stay(self, named: Collection[str]) -> dict[str, str]:
        """Those of these tenants that stay with their currency, each with what is in it."""
        found: dict[str, str] = {}
        with self._reading() as connection:
            for chunk in chunks(sorted(named), IN_CHUNK):
                found |= why_they_stay(connection, chunk)
        return found


def other_currencies(changed: Iterable[BeforeAfter]) -> dict[str, tuple[str, str]]:
    """Whose currency is another: what it was, and what it is."""
    return {
        after.tenant: (before.currency, after.currency)
        for before, after in changed
        if before is not None and before.currency != after.currency
    }


def lock_currencies(connection: sa.Connection, named: Collection[str]) -> None:
    """Let nothing be booked for these tenants until the transaction ends.

    Nobody waits for it but who books; to be taken before a month's closing, as who books does.
    """
    if named:
        own = sa.select(tenants.c.tenant).where(tenants.c.tenant.in_(named))
        ordered = own.order_by(tenants.c.tenant)
        connection.execute(ordered.with_for_update(key_share=True)).all()


def check_currencies(connection: sa.Connection, moved: Mapping[str, tuple[str, str]]) -> None:
    """Raise Conflict where a tenant's currency stays, of those that go from one to another."""
    for tenant, why in why_they_stay(connection, moved).items():
        was, wanted = moved[tenant]
        raise Conflict(
            f"tenant {tenant!r} is billed in {was}, and stays so: {why}; "
            f"to bill in {wanted}, give it another name"
        )


def why_they_stay(connection: sa.Connection, named: Collection[str]) -> dict[str, str]:
    """As `why_currencies_stay`, of tenants that fit one statement."""
    if not named:
        return {}
    found = dict(_coupons(connection, named))
    for what, table, name, counts in _IN_CURRENCY:
        own = sa.select(table.c.tenant, sa.func.min(name)).where(table.c.tenant.in_(named), counts)
        rows = connection.execute(own.group_by(table.c.tenant)).all()
        found |= {tenant: f"the {what} {first!r} is in it" for tenant, first in rows}
    return found


_CLOSED = sa.select(closings.c.month).where(closings.c.state == ClosingState.CLOSED.value)
_BILLED = sa.or_(
    invoices.c.state != InvoiceState.DRAFT.value,
    invoices.c.month.in_(_CLOSED),  # a draft of a closed month is not made again
)
_IN_CURRENCY: tuple[tuple[str, sa.Table, sa.ColumnElement[str], sa.ColumnElement[bool]], ...] = (
    ("add-on", booked_add_ons, booked_add_ons.c.key, sa.true()),
    ("item", one_off_items, one_off_items.c.key, sa.true()),
    ("credit", credit_grants, credit_grants.c.key, sa.true()),
    ("invoice", invoices, sa.func.coalesce(invoices.c.number, invoices.c.id), _BILLED),
)
"""What may be in a tenant's currency, the weightiest last: it is the one that is told."""


def _coupons(connection: sa.Connection, named: Collection[str]) -> Iterator[tuple[str, str]]:
    """A coupon that has amounts, and not a share, was redeemed for what it is in one currency."""
    own = sa.select(coupon_redemptions).where(coupon_redemptions.c.tenant.in_(named))
    redeemed = connection.execute(own).all()
    catalogs = catalogs_of(connection, {row.catalog_version for row in redeemed})
    for row in redeemed:
        if catalogs[row.catalog_version].coupons[row.coupon].amount:
            yield row.tenant, f"the coupon {row.coupon!r} is in it"
