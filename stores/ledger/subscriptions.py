"""Tenants and their subscriptions; a change raises their versions in the transaction that makes it.

How far entitlements and the warehouse's copy trail behind those versions is in `published.py`.
No plan rules and no charges here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa

from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from stores.ledger.catalogs import check_catalog_versions
from stores.ledger.outbox import BillingEvent, announce, as_json, audit
from stores.ledger.part import IN_CHUNK, LedgerPart, chunks, insert_all, lock
from stores.ledger.subscription_rows import (
    SubscribedTenant,
    description,
    load,
    reaches_into,
    segment_rows,
)
from stores.ledger.tables import subscription_segments, subscriptions, tenants

Saved = Literal["created", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class SavedCounts:
    """What saving subscriptions did, in tenants."""

    created: int
    changed: int
    unchanged: int


class Subscriptions(LedgerPart):
    """The tables `tenants`, `subscriptions` and `subscription_segments`."""

    def save_subscriptions(
        self, wanted: Sequence[Subscription], now_ms: int, who: str
    ) -> SavedCounts:
        """Insert or replace each tenant's subscription; tenants not named stay as they are.

        A plan that is stored already, from the same instant on, keeps its price list version. An
        unchanged subscription keeps its own versions; a change is told as `subscription.changed`
        and written to the audit log with it.

        Raises:
            InvalidInput: a tenant is named twice, or a subscription has no plan.
            NotFound: its price list version was never applied.
            Conflict: the tenant has a subscription of another id.
        """
        _check(wanted)
        counts: Counter[Saved] = Counter()
        for chunk in chunks(wanted, IN_CHUNK):
            with self._writing() as connection:
                lock(connection, tenants)
                counts.update(_save(connection, chunk, now_ms, who))
        return SavedCounts(counts["created"], counts["changed"], counts["unchanged"])

    def subscriptions(self, period: BillingPeriod | None = None) -> list[Subscription]:
        """Subscriptions that exist for any part of the period (all, without one), by tenant."""
        condition = sa.true() if period is None else reaches_into(period)
        with self._reading() as connection:
            return [each.subscription for each in load(connection, condition)]

    def subscribed(self, tenant: str) -> SubscribedTenant:
        """A tenant's subscription and its versions. Raises NotFound."""
        with self._reading() as connection:
            found = load(connection, tenants.c.tenant == tenant)
        if not found:
            raise NotFound(f"tenant {tenant!r} has no subscription")
        return found[0]

    def tenant_names(self) -> list[str]:
        """Every tenant with a subscription, in order."""
        query = sa.select(subscriptions.c.tenant).order_by(subscriptions.c.tenant)
        with self._reading() as connection:
            return list(connection.execute(query).scalars())


def _check(wanted: Iterable[Subscription]) -> None:
    seen: set[str] = set()
    for each in wanted:
        if each.tenant in seen:
            raise InvalidInput(f"tenant {each.tenant!r} is named twice; give it one subscription")
        if not each.segments:
            raise InvalidInput(f"tenant {each.tenant!r} has no plan; end its last plan instead")
        seen.add(each.tenant)


def _save(
    connection: sa.Connection, wanted: list[Subscription], now_ms: int, who: str
) -> list[Saved]:
    segments = (segment for each in wanted for segment in each.segments)
    check_catalog_versions(connection, {segment.catalog_version for segment in segments})
    named = tenants.c.tenant.in_([each.tenant for each in wanted])
    stored = {each.tenant: each for each in load(connection, named)}
    wanted = [_keep_prices(each, stored.get(each.tenant)) for each in wanted]
    results = [_compare(each, stored.get(each.tenant)) for each in wanted]
    todo = [(each, result) for each, result in zip(wanted, results, strict=True)]
    created = [each for each, result in todo if result == "created"]
    changed = [each for each, result in todo if result == "changed"]
    _create(connection, created, now_ms)
    _change(connection, changed, now_ms)
    versions = {each.id: stored[each.tenant].version + 1 for each in changed}
    _tell(connection, created + changed, versions, now_ms, who)
    return results


def _compare(wanted: Subscription, stored: SubscribedTenant | None) -> Saved:
    if stored is None:
        return "created"
    if stored.subscription.id != wanted.id:
        raise Conflict(
            f"tenant {wanted.tenant!r} has the subscription {stored.subscription.id!r};"
            f" {wanted.id!r} cannot be added beside it"
        )
    return "unchanged" if stored.subscription == wanted else "changed"


def _keep_prices(wanted: Subscription, stored: SubscribedTenant | None) -> Subscription:
    """The subscription with the price list versions of the plans that go on."""
    going_on = stored.subscription.segments if stored else ()
    versions = {(each.plan, each.starts_ms): each.catalog_version for each in going_on}
    segments = tuple(
        replace(
            each, catalog_version=versions.get((each.plan, each.starts_ms), each.catalog_version)
        )
        for each in wanted.segments
    )
    return replace(wanted, segments=segments)


def _create(connection: sa.Connection, created: list[Subscription], now_ms: int) -> None:
    month = BillingPeriod.month_of(now_ms).key
    profiles = [
        {
            "tenant": each.tenant,
            "name": each.tenant,
            "currency": each.currency,
            "card": each.card,
            "version": 1,
            "month": month,
        }
        for each in created
    ]
    rows = [
        {
            "id": each.id,
            "tenant": each.tenant,
            "anchor_day": each.anchor_day,
            "version": 1,
            "created_ms": now_ms,
            "changed_ms": now_ms,
        }
        for each in created
    ]
    insert_all(connection, tenants, profiles)
    insert_all(connection, subscriptions, rows)
    insert_all(connection, subscription_segments, segment_rows(created))


def _change(connection: sa.Connection, changed: list[Subscription], now_ms: int) -> None:
    if not changed:
        return
    profiles = [
        {"changed_tenant": each.tenant, "new_currency": each.currency, "new_card": each.card}
        for each in changed
    ]
    connection.execute(
        sa.update(tenants)
        .where(tenants.c.tenant == sa.bindparam("changed_tenant"))
        .values(
            currency=sa.bindparam("new_currency"),
            card=sa.bindparam("new_card"),
            version=tenants.c.version + 1,
            month=BillingPeriod.month_of(now_ms).key,
        ),
        profiles,
    )
    ids = [each.id for each in changed]
    connection.execute(
        sa.update(subscriptions)
        .where(subscriptions.c.id.in_(ids))
        .values(version=subscriptions.c.version + 1, changed_ms=now_ms)
    )
    connection.execute(
        sa.delete(subscription_segments).where(subscription_segments.c.subscription.in_(ids))
    )
    insert_all(connection, subscription_segments, segment_rows(changed))


def _tell(
    connection: sa.Connection,
    saved: list[Subscription],
    versions: dict[str, int],
    now_ms: int,
    who: str,
) -> None:
    told = {each.tenant: description(each, versions.get(each.id, 1)) for each in saved}
    announce(
        connection,
        [
            BillingEvent(
                id=f"subscription.changed:{data['subscription']}:{data['version']}",
                type="subscription.changed",
                tenant=tenant,
                at_ms=now_ms,
                data=as_json(data),
            )
            for tenant, data in told.items()
        ],
    )
    audit(connection, now_ms, who, "subscription.changed", told)
