"""How far the topic `entitlements` and the warehouse's copies trail behind the ledger.

Each is a version that was sent beside the version that is: what is behind is sent again until its
mark catches up, so a crash between sending and marking costs a repeat and loses nothing.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from schemas.entitlement import made_for
from schemas.invoice import Invoice, InvoiceState
from stores.ledger.invoices.rows import load_invoices
from stores.ledger.part import LedgerPart
from stores.ledger.subscriptions.subscription_rows import SubscribedTenant, load
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.subscription_tables import subscriptions, tenants

Sent = Sequence[tuple[str, int]]
"""What was sent: a key (tenant, subscription or invoice) and the version that went out."""


class Published(LedgerPart):
    """The columns `published_version` and `mirrored_version`."""

    def roll_over(self, month: str) -> int:
        """Give tenants whose entitlements were made in an earlier month a new version; how many.

        A timeline reaches to the end of the next period, so each month needs a new one. So does
        another revision of what makes them, see `schemas.entitlement.MADE_BY`.
        """
        mark = made_for(month)
        with self._writing() as connection:
            return connection.execute(
                sa.update(tenants)
                .where(tenants.c.month < mark)
                .values(version=tenants.c.version + 1, month=mark)
            ).rowcount

    def behind_entitlements(self, limit: int) -> list[SubscribedTenant]:
        """Tenants whose newest entitlements are not marked as published, by tenant."""
        return self._behind(tenants.c.published_version < tenants.c.version, limit)

    def mark_entitlements_published(self, sent: Sent) -> None:
        """Mark versions that the broker has acknowledged.

        Where a higher version is marked already, another relay was at work and this older message
        may be the topic's last word: the tenant is made behind again.
        """
        if not sent:
            return
        overtaken = tenants.c.published_version > sa.bindparam("sent_version")
        with self._writing() as connection:
            _execute(
                connection,
                sa.update(tenants)
                .where(tenants.c.tenant == sa.bindparam("sent_key"))
                .where(tenants.c.published_version != sa.bindparam("sent_version"))
                .values(
                    published_version=sa.case((overtaken, 0), else_=sa.bindparam("sent_version"))
                ),
                sent,
            )

    def republish_entitlements(self) -> int:
        """Make every tenant behind, to refill an empty topic; how many."""
        with self._writing() as connection:
            return connection.execute(sa.update(tenants).values(published_version=0)).rowcount

    def entitlements_behind(self) -> int:
        """How many tenants' newest entitlements are not marked as published."""
        query = sa.select(sa.func.count()).where(tenants.c.published_version < tenants.c.version)
        with self._reading() as connection:
            return connection.execute(query.select_from(tenants)).scalar_one()

    def mirror_behind(self) -> int:
        """How many final invoices and subscriptions have an older copy in the warehouse."""
        with self._reading() as connection:
            counts = [
                sa.select(sa.func.count()).select_from(table).where(condition)
                for table, condition in (
                    (invoices, _invoice_is_behind()),
                    (subscriptions, subscriptions.c.mirrored_version < subscriptions.c.version),
                )
            ]
            return sum(connection.execute(count).scalar_one() for count in counts)

    def behind_mirror(self, limit: int) -> list[tuple[Invoice, int]]:
        """Invoices, final ones only, whose copy in the warehouse is older, with their version."""
        with self._reading() as connection:
            ids = sa.select(invoices.c.id).where(_invoice_is_behind()).limit(limit)
            chosen = list(connection.execute(ids).scalars())
            return load_invoices(connection, invoices.c.id.in_(chosen)) if chosen else []

    def mark_mirrored(self, sent: Sent) -> None:
        """Mark the versions of invoices that the warehouse has."""
        self._mark_mirrored(invoices, sent)

    def subscriptions_behind_mirror(self, limit: int) -> list[SubscribedTenant]:
        """Subscriptions whose copy in the warehouse is older."""
        return self._behind(subscriptions.c.mirrored_version < subscriptions.c.version, limit)

    def mark_subscriptions_mirrored(self, sent: Sent) -> None:
        """Mark the versions of subscriptions that the warehouse has."""
        self._mark_mirrored(subscriptions, sent)

    def _behind(self, condition: sa.ColumnElement[bool], limit: int) -> list[SubscribedTenant]:
        chosen = (
            sa.select(tenants.c.tenant).join_from(tenants, subscriptions).where(condition)
        ).limit(limit)
        with self._reading() as connection:
            names = list(connection.execute(chosen).scalars())
            return load(connection, tenants.c.tenant.in_(names)) if names else []

    def _mark_mirrored(self, table: sa.Table, sent: Sent) -> None:
        if not sent:
            return
        with self._writing() as connection:
            _execute(
                connection,
                sa.update(table)
                .where(table.c.id == sa.bindparam("sent_key"))
                .where(table.c.mirrored_version < sa.bindparam("sent_version"))
                .values(mirrored_version=sa.bindparam("sent_version")),
                sent,
            )


def _invoice_is_behind() -> sa.ColumnElement[bool]:
    # A literal, so that SQLite sees that the partial index of the same condition fits.
    draft: sa.ColumnElement[str] = sa.literal_column(f"'{InvoiceState.DRAFT.value}'")
    return sa.and_(invoices.c.mirrored_version < invoices.c.version, invoices.c.state != draft)


def _execute(connection: sa.Connection, statement: sa.Update, sent: Sent) -> None:
    rows = [{"sent_key": key, "sent_version": version} for key, version in sent]
    connection.execute(statement, rows)
