"""Commands on subscriptions: what is decided about one is written whole, in one transaction.

The segments, the row that records the change, the tenant's entitlement version and the event that
tells it are there together or not at all. What a command means is not known here.
"""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from schemas.errors import NotFound
from schemas.invoice import InvoiceState
from schemas.plan_change import CLOCK, Decide, Decision, PlanEntry, PlanLife, RecordedChange
from schemas.subscription import Subscription
from stores.ledger.part import LedgerPart, lock
from stores.ledger.subscriptions.change_rows import commands, history
from stores.ledger.subscriptions.subscription_rows import SubscribedTenant, load
from stores.ledger.subscriptions.subscription_writes import Written, write
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.subscription_tables import (
    subscription_changes,
    subscription_segments,
    subscriptions,
    tenants,
)

# Literals, so that SQLite sees that the partial indexes of the same conditions fit.
_PAST_DUE = invoices.c.state == sa.literal_column(f"'{InvoiceState.PAST_DUE.value}'")
_OF_INVOICE = subscriptions.c.id == invoices.c.subscription


class PlanChanges(LedgerPart):
    """The table `subscription_changes`, and the subscriptions that it tells of."""

    def decide_on(
        self,
        names: Sequence[str],
        decide: Decide,
        now_ms: int,
        *,
        opening: Subscription | None = None,
        in_closed_months: bool = False,
    ) -> None:
        """Show each tenant's subscription to `decide` and write what it says, in one transaction.

        `opening` stands for a tenant that has none. A timeline that changes raises the tenant's
        entitlement version and is told as `subscription.changed`; what happened without a command
        is told as `subscription.state`. What `decide` raises is raised, and nothing is written.

        Raises:
            NotFound: a tenant has no subscription. PeriodClosed: a change reaches into a closed
                month.
        """
        with self._writing() as connection:
            lock(connection, tenants)
            decided = [(life, decide(life)) for life in _lives(connection, names, opening)]
            written = [_written(life, found) for life, found in decided if found is not None]
            write(connection, written, now_ms, in_closed_months=in_closed_months)

    def tenants_due(self, now_ms: int) -> list[str]:
        """Tenants whose state has changed by time or payments unrecorded, in order."""
        tenant, state = subscriptions.c.tenant, subscriptions.c.state
        is_owing = sa.exists().where(invoices.c.subscription == subscriptions.c.id, _PAST_DUE)
        of_unpaid = sa.select(tenant).join_from(invoices, subscriptions, _OF_INVOICE)
        due = sa.union(
            sa.select(tenant).where(subscriptions.c.next_move_ms <= now_ms),
            of_unpaid.where(_PAST_DUE, state == "active"),
            sa.select(tenant).where(state == sa.literal_column("'past_due'"), ~is_owing),
        )
        with self._reading() as connection:
            return sorted(connection.execute(due).scalars())

    def tenants_holding(self, plan: str, catalog_version: int, now_ms: int) -> list[str]:
        """Tenants with a plan by a version of the price list, now or later, in order."""
        segments = subscription_segments.c
        is_held = sa.exists().where(
            segments.subscription == subscriptions.c.id,
            segments.plan == plan,
            segments.catalog_version == catalog_version,
            sa.or_(segments.ends_ms.is_(None), segments.ends_ms > now_ms),
        )
        query = sa.select(subscriptions.c.tenant).where(is_held).order_by(subscriptions.c.tenant)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())

    def tenants_replanned(
        self, until_ms: int, since_ms: int, tenants: Collection[str] | None = None
    ) -> set[str]:
        """Whose plans of a time up to an instant were changed since another; of all, or these."""
        rows, tenant = subscription_changes.c, subscriptions.c.tenant
        query = (
            sa.select(tenant)
            .join_from(subscription_changes, subscriptions)
            .where(rows.recorded_ms >= since_ms, rows.effective_ms <= until_ms)
            .where(rows.command != CLOCK, sa.true() if tenants is None else tenant.in_(tenants))
        )
        with self._reading() as connection:
            return set(connection.execute(query).scalars())

    def plan_history(self, tenant: str) -> list[RecordedChange]:
        """Everything that was recorded of a tenant's subscription, in order."""
        with self._reading() as connection:
            return history(connection, tenant)


def _lives(
    connection: sa.Connection, names: Sequence[str], opening: Subscription | None
) -> list[PlanLife]:
    stored = {each.tenant: each for each in load(connection, tenants.c.tenant.in_(names))}
    if opening is None and (missing := [name for name in names if name not in stored]):
        raise NotFound(f"tenant {missing[0]!r} has no subscription")
    ids = [each.subscription.id for each in stored.values()]
    given = commands(connection, ids)
    owing = sa.select(invoices.c.subscription).where(invoices.c.subscription.in_(ids), _PAST_DUE)
    owe = set(connection.execute(owing).scalars())
    lives = [_life(stored[name], given, owe) for name in names if name in stored]
    return lives or ([] if opening is None else [PlanLife(opening)])


def _life(
    stored: SubscribedTenant, given: Mapping[str, Mapping[str, PlanEntry]], owe: set[str]
) -> PlanLife:
    id_ = stored.subscription.id
    return PlanLife(
        subscription=stored.subscription,
        version=stored.version,
        state=stored.state,
        next_move_ms=stored.next_move_ms,
        is_owing=id_ in owe,
        commands=given.get(id_, {}),
    )


def _written(life: PlanLife, decision: Decision) -> Written:
    before = None if life.version == 0 else life.subscription
    is_changed = any(entry.command != CLOCK for entry in decision.entries)
    return Written(
        before=before,
        after=decision.subscription,
        version=life.version + is_changed,
        state=decision.state,
        next_move_ms=decision.next_move_ms,
        entries=decision.entries,
    )
