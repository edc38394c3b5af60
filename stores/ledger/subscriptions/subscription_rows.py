"""Subscriptions between rows and values, and as the world is told of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from schemas.period import BillingPeriod, format_instant
from schemas.plan_state import State
from schemas.subscription import PlanSegment, Subscription
from stores.ledger.tables.subscription_tables import subscription_segments, subscriptions, tenants

SEGMENT_COLUMNS = (
    "plan",
    "catalog_version",
    "starts_ms",
    "ends_ms",
    "billing_interval",
    "phase",
    "is_cancelled",
)


BeforeAfter = tuple[Subscription | None, Subscription]
"""A subscription as it was, None if it is new, and as it shall be."""


@dataclass(frozen=True, slots=True)
class SubscribedTenant:
    """A subscription as stored. `version` counts its changes; `entitlement_version` also the
    months' rollovers, and is the version of the tenant's entitlements. `state` is the one that was
    last recorded; `next_move_ms` is when the timeline next changes something."""

    subscription: Subscription
    version: int
    entitlement_version: int
    state: State | None = None
    next_move_ms: int | None = None

    @property
    def tenant(self) -> str:
        """Whose subscription it is."""
        return self.subscription.tenant


def load(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[SubscribedTenant]:
    """Stored subscriptions with their segments, by tenant; `condition` is on the joined tables."""
    query = (
        sa.select(
            tenants.c.tenant,
            tenants.c.currency,
            tenants.c.card,
            tenants.c.version.label("entitlement_version"),
            subscriptions.c.id,
            subscriptions.c.anchor_day,
            subscriptions.c.version,
            subscriptions.c.state,
            subscriptions.c.next_move_ms,
            *(subscription_segments.c[name] for name in SEGMENT_COLUMNS),
        )
        .join_from(tenants, subscriptions)
        .outerjoin(subscription_segments)
        .where(condition)
        .order_by(tenants.c.tenant, subscription_segments.c.ordinal)
    )
    rows: Iterable[sa.Row[Any]] = connection.execute(query)
    return [_subscribed(list(group)) for _, group in groupby(rows, key=lambda row: row.tenant)]


def _subscribed(rows: list[sa.Row[Any]]) -> SubscribedTenant:
    first = rows[0]
    own = (first.id, first.tenant, first.currency, first.card)
    segments = tuple(_segment(row) for row in rows if row.plan is not None)
    subscription = Subscription(*own, segments, first.anchor_day)
    return SubscribedTenant(
        subscription, first.version, first.entitlement_version, first.state, first.next_move_ms
    )


def _segment(row: sa.Row[Any]) -> PlanSegment:
    return PlanSegment(
        plan=row.plan,
        catalog_version=row.catalog_version,
        starts_ms=row.starts_ms,
        ends_ms=row.ends_ms,
        interval=row.billing_interval,
        phase=row.phase,
        is_cancelled=row.is_cancelled,
    )


def reaches_into(period: BillingPeriod) -> sa.ColumnElement[bool]:
    """Has the subscription a plan in any part of the period?"""
    segment = subscription_segments.alias()
    return sa.exists().where(
        segment.c.subscription == subscriptions.c.id,
        segment.c.starts_ms < period.end_ms,
        sa.or_(segment.c.ends_ms.is_(None), segment.c.ends_ms > period.start_ms),
    )


def segment_rows(saved: Iterable[Subscription]) -> list[dict[str, Any]]:
    """Rows of `subscription_segments`."""
    return [
        {
            "subscription": each.id,
            "ordinal": ordinal,
            "plan": segment.plan,
            "catalog_version": segment.catalog_version,
            "starts_ms": segment.starts_ms,
            "ends_ms": segment.ends_ms,
            "billing_interval": segment.interval,
            "phase": segment.phase,
            "is_cancelled": segment.is_cancelled,
        }
        for each in saved
        for ordinal, segment in enumerate(each.segments, 1)
    ]


def description(saved: Subscription, version: int) -> dict[str, Any]:
    """What the event `subscription.changed` and the audit log hold."""
    return {
        "subscription": saved.id,
        "version": version,
        "currency": saved.currency,
        **timeline(saved),
    }


def timeline(saved: Subscription) -> dict[str, Any]:
    """The plans over time, as they are told and recorded."""
    plans = [
        {
            "plan": segment.plan,
            "catalog_version": segment.catalog_version,
            "starts_at": format_instant(segment.starts_ms),
            "ends_at": None if segment.ends_ms is None else format_instant(segment.ends_ms),
            "interval": segment.interval,
            "phase": segment.phase,
            "is_cancelled": segment.is_cancelled,
        }
        for segment in saved.segments
    ]
    return {"anchor_day": saved.anchor_day, "plans": plans}
