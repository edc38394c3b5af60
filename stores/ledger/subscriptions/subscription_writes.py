"""Writing subscriptions: rows, versions, states, records and events, all in one transaction.

Both ways lead here, a file of subscriptions and a command on one; this is where a change that
would reach into a closed month is refused.
"""

from calendar import month_name
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.entitlement import made_for
from schemas.errors import PeriodClosed
from schemas.period import BillingPeriod, format_instant, from_ms
from schemas.plan_change import CLOCK, PlanEntry
from schemas.plan_state import State, first_difference
from schemas.subscription import Subscription
from stores.ledger.catalogs import catalogs_of, check_catalog_versions
from stores.ledger.extras.keeping import send_back_plans
from stores.ledger.outbox import BillingEvent, announce, as_json, audit
from stores.ledger.part import insert_all
from stores.ledger.subscriptions.change_rows import Change, announce_states, record, transition
from stores.ledger.subscriptions.counted import check_counted
from stores.ledger.subscriptions.currencies import (
    check_currencies,
    lock_currencies,
    other_currencies,
)
from stores.ledger.subscriptions.subscription_rows import description, segment_rows
from stores.ledger.tables.closing_tables import closings
from stores.ledger.tables.subscription_tables import subscription_segments, subscriptions, tenants


@dataclass(frozen=True, slots=True)
class Written:
    """A subscription to be written, as it was (None: it is new) and as it is.

    `version` is the one it has afterwards, `entries` are what happened to it, in order.
    """

    before: Subscription | None
    after: Subscription
    version: int
    state: State | None
    next_move_ms: int | None
    entries: Sequence[PlanEntry]

    @property
    def is_changed(self) -> bool:
        """Does it differ from what was stored?"""
        return self.after != self.before

    @property
    def changes(self) -> list[Change]:
        """Its rows. What the clock did before a command is of the version before it."""
        later = self.version - 1 if self.before is not None and self.is_changed else self.version
        found: list[Change] = []
        for entry in self.entries:
            later = later if entry.command == CLOCK else self.version
            found.append(Change(entry, self.before, self.after, later))
        return found


def write(
    connection: sa.Connection, written: Sequence[Written], now_ms: int, *, in_closed_months: bool
) -> None:
    """Write subscriptions with all that follows from it.

    Raises:
        PeriodClosed: one changes before the end of a closed month, and that is not allowed.
        NotFound: a price list version was never applied. Conflict: another currency is wanted for
        a tenant of whom something is in the one it has, or the newest price list does not count
            what begins.
    """
    changed = [each for each in written if each.is_changed]
    segments = (segment for each in changed for segment in each.after.segments)
    check_catalog_versions(connection, {segment.catalog_version for segment in segments})
    both = [(each.before, each.after) for each in changed]
    check_counted(connection, both)
    moved = other_currencies(both)
    lock_currencies(connection, moved)
    # First, for it waits for whoever is finalizing: then a month that is open stays open.
    _send_back(connection, changed)
    check_currencies(connection, moved)
    if not in_closed_months:
        _check_closed(connection, changed)
    _create(connection, [each for each in changed if each.before is None], now_ms)
    stored = [each for each in written if each.before is not None]
    _replace(connection, [each.after for each in stored if each.is_changed], now_ms)
    _set_states(connection, stored)
    rows = [change for each in written for change in each.changes]
    record(connection, rows)
    announce_states(connection, rows)
    _tell(connection, changed, now_ms)


def _send_back(connection: sa.Connection, changed: Sequence[Written]) -> None:
    found = [(each.before, first_difference(each.before, each.after)) for each in changed]
    # Who goes on at the very end of a month may have paid in it for the time after it.
    instants = [at - (before is not None) for before, at in found if at is not None]
    if instants:
        send_back_plans(connection, min(instants))


def _check_closed(connection: sa.Connection, changed: Sequence[Written]) -> None:
    newest = sa.select(sa.func.max(closings.c.month)).where(
        closings.c.state == ClosingState.CLOSED.value
    )
    month = connection.execute(newest).scalar()
    if month is None:
        return
    closed = BillingPeriod.month(month)
    for each in changed:
        # The close of a month bills the periods that end in it, so the last of them is final.
        open_from_ms = each.after.period_around(closed.end_ms).start_ms
        differs_ms = first_difference(each.before, each.after)
        if differs_ms is None or differs_ms > open_from_ms:
            continue
        if differs_ms < open_from_ms:
            raise PeriodClosed(_closed(each.after.tenant, differs_ms, open_from_ms, closed))
        if each.before is not None and _is_paid_ahead(connection, each, open_from_ms):
            raise PeriodClosed(_closed(each.after.tenant, differs_ms, open_from_ms + 1000, closed))


def _is_paid_ahead(connection: sa.Connection, written: Written, instant_ms: int) -> bool:
    """Was what begins, or ends, at the instant told by the invoice before: a year, or in advance?

    It was if anything was invoiced, so not where the subscription begins.
    """
    timelines = [each for each in (written.before, written.after) if each is not None]
    found = [each.segment_at(at) for each in timelines for at in (instant_ms - 1, instant_ms)]
    segments = [segment for segment in found if segment is not None]
    versions = {segment.catalog_version for segment in segments}
    prices = catalogs_of(connection, versions)
    plans = [(each.interval, prices[each.catalog_version].plans[each.plan]) for each in segments]
    return timelines[0].segment_at(instant_ms - 1) is not None and any(
        (interval == "year" and plan.base_fee_yearly) or plan.policies.base_fee == "in_advance"
        for interval, plan in plans
    )


def _closed(tenant: str, differs_ms: int, open_from_ms: int, closed: BillingPeriod) -> str:
    start = from_ms(closed.start_ms)
    return (
        f"{month_name[start.month]} {start.year} is closed: what {tenant!r} had from"
        f" {format_instant(differs_ms)} on is invoiced; choose {format_instant(open_from_ms)} or"
        " later, or say --in-closed-months if invoices shall be corrected"
    )


def _create(connection: sa.Connection, created: Sequence[Written], now_ms: int) -> None:
    month = made_for(BillingPeriod.month_of(now_ms).key)
    new = [each.after for each in created]
    profiles = [
        {
            "tenant": each.tenant,
            "name": each.tenant,
            "currency": each.currency,
            "card": each.card,
            "version": 1,
            "month": month,
        }
        for each in new
    ]
    rows = [
        {
            "id": each.after.id,
            "tenant": each.after.tenant,
            "anchor_day": each.after.anchor_day,
            "version": 1,
            "created_ms": now_ms,
            "changed_ms": now_ms,
            "state": each.state,
            "next_move_ms": each.next_move_ms,
        }
        for each in created
    ]
    insert_all(connection, tenants, profiles)
    insert_all(connection, subscriptions, rows)
    insert_all(connection, subscription_segments, segment_rows(new))


def _replace(connection: sa.Connection, changed: Sequence[Subscription], now_ms: int) -> None:
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
            month=made_for(BillingPeriod.month_of(now_ms).key),
        ),
        profiles,
    )
    connection.execute(
        sa.update(subscriptions)
        .where(subscriptions.c.id == sa.bindparam("changed_id"))
        .values(
            anchor_day=sa.bindparam("new_anchor_day"),
            version=subscriptions.c.version + 1,
            changed_ms=now_ms,
        ),
        [{"changed_id": each.id, "new_anchor_day": each.anchor_day} for each in changed],
    )
    ids = [each.id for each in changed]
    connection.execute(
        sa.delete(subscription_segments).where(subscription_segments.c.subscription.in_(ids))
    )
    insert_all(connection, subscription_segments, segment_rows(changed))


def _set_states(connection: sa.Connection, stored: Sequence[Written]) -> None:
    rows = [
        {"moved_id": each.after.id, "new_state": each.state, "new_move_ms": each.next_move_ms}
        for each in stored
    ]
    if rows:
        connection.execute(
            sa.update(subscriptions)
            .where(subscriptions.c.id == sa.bindparam("moved_id"))
            .values(state=sa.bindparam("new_state"), next_move_ms=sa.bindparam("new_move_ms")),
            rows,
        )


def _tell(connection: sa.Connection, changed: Sequence[Written], now_ms: int) -> None:
    """The new timelines, to the world and to the audit log."""
    events = []
    by_name: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for each in changed:
        command = next(entry for entry in each.entries if entry.command != CLOCK)
        told = {
            **description(each.after, each.version),
            "state": each.state,
            "change": transition(command),
        }
        by_name[command.who][each.after.tenant] = told
        events.append(_event(each, told, now_ms))
    announce(connection, events)
    for who, details in by_name.items():
        audit(connection, now_ms, who, "subscription.changed", details)


def _event(written: Written, told: dict[str, Any], now_ms: int) -> BillingEvent:
    return BillingEvent(
        id=f"subscription.changed:{written.after.id}:{written.version}",
        type="subscription.changed",
        tenant=written.after.tenant,
        at_ms=now_ms,
        data=as_json(told),
    )
