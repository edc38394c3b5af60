"""What tenants have beside their plans: where they buy, coupons, add-ons, one-off items.

What each costs is computed in `pipelines.adjustments`; prepaid credits are in `credits.py`.
"""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from schemas.errors import Conflict, NotFound
from schemas.extras import BookedAddOn, Kept, OneOffItem, Redemption
from schemas.period import BillingPeriod
from schemas.tax import Buyer
from stores.ledger.extras.keeping import (
    check_currency,
    check_month_open,
    check_open_from,
    check_tenant,
    hold_tenant,
    keep,
    send_back_drafts,
)
from stores.ledger.outbox import audit
from stores.ledger.part import LedgerPart
from stores.ledger.tables.extras_tables import booked_add_ons, coupon_redemptions, one_off_items
from stores.ledger.tables.invoice_tables import counted_lines, invoices
from stores.ledger.tables.subscription_tables import tenants


class Bookings(LedgerPart):
    """The tables `coupon_redemptions`, `booked_add_ons`, `one_off_items`, and tenants' profiles."""

    def buyer(self, tenant: str) -> Buyer:
        """Where a tenant buys, and its tax id. Raises NotFound."""
        with self._reading() as connection:
            row = check_tenant(connection, tenant)
        return Buyer(row.country, row.region, row.tax_id)

    def set_buyer(self, tenant: str, buyer: Buyer, who: str) -> bool:
        """Set where a tenant buys, for every month that is not closed; was it another place?

        Raises:
            NotFound: there is no such tenant.
        """
        with self._writing() as connection:
            row = check_tenant(connection, tenant)
            if Buyer(row.country, row.region, row.tax_id) == buyer:
                return False
            own = asdict(buyer)
            connection.execute(sa.update(tenants).where(tenants.c.tenant == tenant).values(own))
            send_back_drafts(connection)
            audit(connection, self._clock(), who, "tenant.set", {tenant: own})
            return True

    def set_card(self, tenant: str, card: str, who: str) -> bool:
        """Set the card that a tenant's next attempts charge; was it another one?

        Attempts that are there keep theirs. The audit log holds its last four characters.

        Raises:
            NotFound: there is no such tenant.
        """
        with self._writing() as connection:
            if check_tenant(connection, tenant).card == card:
                return False
            own = sa.update(tenants).where(tenants.c.tenant == tenant)
            connection.execute(own.values(card=card))
            told = {"card": f"…{card[-4:]}"}
            audit(connection, self._clock(), who, "tenant.card_set", {tenant: told})
            return True

    def redeem(self, redeemed: Redemption, who: str) -> Kept:
        """Let a coupon hold for a tenant; a tenant redeems each coupon once.

        Raises:
            NotFound: no such tenant. Conflict: it was redeemed for another time.
            PeriodClosed: it begins in a closed month, or before one.
        """
        return self._book(coupon_redemptions, redeemed, "coupon.redeemed", who)

    def redemptions(self, tenant: str | None = None) -> list[Redemption]:
        """Redeemed coupons, by tenant and beginning."""
        table = coupon_redemptions.c
        rows = self._rows(coupon_redemptions, tenant, table.tenant, table.starts_ms, table.coupon)
        return [Redemption(**row) for row in rows]

    def book_add_on(self, booked: BookedAddOn, who: str) -> Kept:
        """Let a tenant have an add-on.

        Raises:
            NotFound, Conflict, PeriodClosed: as `redeem`.
        """
        return self._book(booked_add_ons, booked, "add_on.booked", who)

    def end_add_on(self, tenant: str, key: str, ends_ms: int, who: str) -> bool:
        """End an add-on; False when it ends then already.

        Raises:
            NotFound: there is none of this key. Conflict: it would end before it begins.
            PeriodClosed: the end lies in a closed month, or before one.
        """
        this = sa.and_(booked_add_ons.c.tenant == tenant, booked_add_ons.c.key == key)
        with self._writing() as connection:
            row = connection.execute(sa.select(booked_add_ons).where(this)).first()
            if row is None:
                raise NotFound(f"{tenant} has no add-on {key!r}; see `countinghouse add-ons list`")
            if row.ends_ms == ends_ms:
                return False
            if ends_ms <= row.starts_ms:
                raise Conflict(f"the add-on {key!r} of {tenant} would end before it begins")
            check_open_from(connection, min(ends_ms, row.ends_ms or ends_ms))
            connection.execute(sa.update(booked_add_ons).where(this).values(ends_ms=ends_ms))
            send_back_drafts(connection, min(ends_ms, row.ends_ms or ends_ms))
            told = {"key": key, "ends_ms": ends_ms}
            audit(connection, self._clock(), who, "add_on.ended", {tenant: told})
            return True

    def add_ons(self, tenant: str | None = None) -> list[BookedAddOn]:
        """Add-ons, by tenant and beginning."""
        table = booked_add_ons.c
        rows = self._rows(booked_add_ons, tenant, table.tenant, table.starts_ms, table.key)
        return [BookedAddOn(**row) for row in rows]

    def add_item(self, item: OneOffItem, who: str) -> Kept:
        """Charge something once, on the invoice of a month.

        Raises:
            NotFound: no such tenant. Conflict: the key is another item's, or the tenant is billed
            in another currency. PeriodClosed: the month is closed.
        """
        with self._writing() as connection:
            check_currency(connection, item.tenant, item.currency)
            kept = keep(connection, one_off_items, asdict(item), f"the item {item.key!r}")
            if kept == "added":
                check_month_open(connection, item.month)
                send_back_drafts(connection, BillingPeriod.month(item.month).start_ms)
                told = {name: value for name, value in asdict(item).items() if name != "tenant"}
                audit(connection, self._clock(), who, "item.added", {item.tenant: told})
            return kept

    def items(self, tenant: str | None = None) -> list[OneOffItem]:
        """One-off items, by tenant and month."""
        table = one_off_items.c
        rows = self._rows(one_off_items, tenant, table.tenant, table.month, table.key)
        return [OneOffItem(**row) for row in rows]

    def _book(
        self, table: sa.Table, booked: Redemption | BookedAddOn, action: str, who: str
    ) -> Kept:
        row = asdict(booked)
        with self._writing() as connection:
            hold_tenant(connection, booked.tenant)
            name = booked.key if isinstance(booked, BookedAddOn) else booked.coupon
            kept = keep(connection, table, row, f"{name!r} of {booked.tenant}")
            if kept == "added":
                check_open_from(connection, booked.starts_ms)
                send_back_drafts(connection, booked.starts_ms)
                told = {name: value for name, value in row.items() if name != "tenant"}
                audit(connection, self._clock(), who, action, {booked.tenant: told})
            return kept

    def _rows(
        self, table: sa.Table, tenant: str | None, *order: sa.ColumnElement[Any]
    ) -> list[dict[str, Any]]:
        query = sa.select(table).order_by(*order)
        if tenant is not None:
            query = query.where(table.c.tenant == tenant)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def check_items_billed(connection: sa.Connection, month: str, seller: str, now_ms: int) -> None:
    """Raise Conflict where an item came after the draft that was finalized just now."""
    kind: sa.ColumnElement[str] = sa.literal_column("'item'")
    billed = sa.select(sa.func.coalesce(sa.func.sum(counted_lines.c.amount_minor), 0)).where(
        counted_lines.c.invoice == invoices.c.serial, counted_lines.c.kind == kind
    )
    ordered = sa.func.sum(one_off_items.c.amount_minor)
    # Of these alone: else each invoice of the month is asked whether it has an item.
    concerned = sa.select(one_off_items.c.tenant).where(one_off_items.c.month == month)
    query = (
        sa.select(invoices.c.tenant)
        .join_from(one_off_items, invoices, invoices.c.tenant == one_off_items.c.tenant)
        .where(one_off_items.c.month == month, one_off_items.c.currency == invoices.c.currency)
        # A note of the same tenant bills none of its items.
        .where(invoices.c.month == month, invoices.c.seller == seller)
        .where(invoices.c.kind == "invoice")
        .where(invoices.c.issued_ms == now_ms, invoices.c.tenant.in_(concerned))
        .group_by(invoices.c.serial, invoices.c.tenant)
        .having(ordered != billed.scalar_subquery())
    )
    late = list(connection.execute(query.limit(5)).scalars())
    if late:
        raise Conflict(
            f"items of {', '.join(late)} came after the drafts of {month} were made; "
            f"run `countinghouse close {month}` again"
        )
