"""Tenants and their subscriptions, as a file says them, and reading them.

Commands on single ones are in `plan_changes.py`; how far entitlements and the warehouse's copy
trail behind is in `published.py`. No plan rules and no charges here.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa

from schemas.catalog import Catalog
from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.period import BillingPeriod
from schemas.plan_change import PlanEntry
from schemas.plan_state import first_difference, next_bound, state_at
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from stores.ledger.catalogs import catalogs_of
from stores.ledger.part import IN_CHUNK, LedgerPart, chunks, lock
from stores.ledger.subscriptions.subscription_rows import SubscribedTenant, load, reaches_into
from stores.ledger.subscriptions.subscription_writes import Written, write
from stores.ledger.tables.subscription_tables import subscriptions, tenants

Saved = Literal["created", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class SavedCounts:
    """What saving subscriptions did, in tenants."""

    created: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Applied:
    now_ms: int
    who: str
    in_closed_months: bool


class Subscriptions(LedgerPart):
    """The tables `tenants`, `subscriptions` and `subscription_segments`."""

    def save_subscriptions(
        self,
        wanted: Sequence[Subscription],
        now_ms: int,
        who: str,
        *,
        in_closed_months: bool = False,
    ) -> SavedCounts:
        """Insert or replace each tenant's subscription; tenants not named stay as they are.

        A plan that is stored already, from the same instant on, keeps its price list version where
        that sells it by the wanted interval. Where no card is said a tenant keeps its own; a new
        one has the sandbox's. An unchanged subscription keeps its own versions; a change is told as
        `subscription.changed`, recorded as the command `apply` and written to the audit log with
        it.

        Raises:
            PeriodClosed: one changes within a closed month, and `in_closed_months` is not said.
            InvalidInput: a tenant is named twice, or a subscription has no plan.
            NotFound: its price list version was never applied.
            Conflict: the tenant has a subscription of another id, or something of it is in another
            currency: an invoice, a credit, an item, an add-on or a coupon.
        """
        _check(wanted)
        counts: Counter[Saved] = Counter()
        order = _Applied(now_ms, who, in_closed_months)
        for chunk in chunks(wanted, IN_CHUNK):
            with self._writing() as connection:
                lock(connection, tenants)
                counts.update(_save(connection, chunk, order))
        return SavedCounts(counts["created"], counts["changed"], counts["unchanged"])

    def subscriptions(
        self, period: BillingPeriod | None = None, tenants: Collection[str] | None = None
    ) -> list[Subscription]:
        """Subscriptions that exist for any part of the period (all, without one), by tenant."""
        condition = sa.true() if period is None else reaches_into(period)
        conditions = [condition] if tenants is None else _of(tenants, condition)
        with self._reading() as connection:
            return [each.subscription for one in conditions for each in load(connection, one)]

    def all_subscribed(self) -> list[SubscribedTenant]:
        """Every subscription with its versions and its state, by tenant."""
        with self._reading() as connection:
            return load(connection, sa.true())

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


def _of(named: Collection[str], condition: sa.ColumnElement[bool]) -> list[sa.ColumnElement[bool]]:
    """The condition for some tenants alone, a list of keys at a time."""
    parts = chunks(sorted(named), IN_CHUNK)
    return [sa.and_(condition, tenants.c.tenant.in_(part)) for part in parts]


def _check(wanted: Iterable[Subscription]) -> None:
    seen: set[str] = set()
    for each in wanted:
        if each.tenant in seen:
            raise InvalidInput(f"tenant {each.tenant!r} is named twice; give it one subscription")
        if not each.segments:
            raise InvalidInput(f"tenant {each.tenant!r} has no plan; end its last plan instead")
        seen.add(each.tenant)


def _save(connection: sa.Connection, wanted: list[Subscription], order: _Applied) -> list[Saved]:
    named = tenants.c.tenant.in_([each.tenant for each in wanted])
    stored = {each.tenant: each for each in load(connection, named)}
    segments = (segment for each in stored.values() for segment in each.subscription.segments)
    prices = catalogs_of(connection, {segment.catalog_version for segment in segments})
    wanted = [_keep_prices(each, stored.get(each.tenant), prices) for each in wanted]
    wanted = [_keep_card(each, stored.get(each.tenant)) for each in wanted]
    results = [_compare(each, stored.get(each.tenant)) for each in wanted]
    todo = [
        _written(each, stored.get(each.tenant), order)
        for each, result in zip(wanted, results, strict=True)
        if result != "unchanged"
    ]
    write(connection, todo, order.now_ms, in_closed_months=order.in_closed_months)
    return results


def _written(wanted: Subscription, stored: SubscribedTenant | None, order: _Applied) -> Written:
    """A file says the whole timeline, so it may bring a subscription into any state."""
    before = None if stored is None else stored.subscription
    version = 1 if stored is None else stored.version + 1
    old = None if stored is None else stored.state
    new = state_at(wanted, order.now_ms, is_past_due=old == "past_due")
    differs_ms = first_difference(before, wanted)
    entry = PlanEntry(
        command="apply",
        request="{}",
        key=f"apply:{version}",
        who=order.who,
        why="",
        what="as a file says",
        recorded_ms=order.now_ms,
        effective_ms=order.now_ms if differs_ms is None else differs_ms,
        from_state=old,
        to_state=new,
    )
    return Written(before, wanted, version, new, next_bound(wanted, order.now_ms), [entry])


def _compare(wanted: Subscription, stored: SubscribedTenant | None) -> Saved:
    if stored is None:
        return "created"
    if stored.subscription.id != wanted.id:
        raise Conflict(
            f"tenant {wanted.tenant!r} has the subscription {stored.subscription.id!r};"
            f" {wanted.id!r} cannot be added beside it"
        )
    return "unchanged" if stored.subscription == wanted else "changed"


def _keep_prices(
    wanted: Subscription, stored: SubscribedTenant | None, prices: Mapping[int, Catalog]
) -> Subscription:
    """The subscription with the price list versions of the plans that go on."""
    going_on = stored.subscription.segments if stored else ()
    versions = {(each.plan, each.starts_ms): each.catalog_version for each in going_on}

    def kept(each: PlanSegment) -> PlanSegment:
        version = versions.get((each.plan, each.starts_ms))
        terms = each.plan, each.interval, wanted.currency
        if version is None or not prices[version].sells(*terms):
            return each
        return replace(each, catalog_version=version)

    return replace(wanted, segments=tuple(map(kept, wanted.segments)))


def _keep_card(wanted: Subscription, stored: SubscribedTenant | None) -> Subscription:
    if wanted.card:
        return wanted
    return replace(wanted, card=GOOD_CARD if stored is None else stored.subscription.card)
