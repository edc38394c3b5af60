"""Rows of `subscription_changes`: written with the change that they record, read as a history."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from schemas.plan_change import CLOCK, PlanEntry, RecordedChange
from schemas.subscription import Subscription
from stores.ledger.outbox import BillingEvent, announce, as_json
from stores.ledger.part import insert_all
from stores.ledger.subscriptions.subscription_rows import timeline
from stores.ledger.tables.subscription_tables import subscription_changes, subscriptions

_ENTRY = (
    "command",
    "request",
    "key",
    "who",
    "why",
    "what",
    "recorded_ms",
    "effective_ms",
    "from_state",
    "to_state",
)


@dataclass(frozen=True, slots=True)
class Change:
    """An entry, and the subscription before and after it. `version` is the one it has after."""

    entry: PlanEntry
    before: Subscription | None
    after: Subscription
    version: int

    @property
    def is_by_clock(self) -> bool:
        """Did it happen without a command, and leave the timeline as it is?"""
        return self.entry.command == CLOCK


def record(connection: sa.Connection, changes: Iterable[Change]) -> None:
    """Write changes; a key that a subscription has already is an error of the database."""
    insert_all(connection, subscription_changes, [_row(each) for each in changes])


def _row(change: Change) -> dict[str, Any]:
    after = None if change.is_by_clock else as_json(timeline(change.after))
    is_first = change.before is None or change.is_by_clock
    return {
        "subscription": change.after.id,
        "version": change.version,
        "before": None if is_first or change.before is None else as_json(timeline(change.before)),
        "after": after,
        **asdict(change.entry),
    }


def announce_states(connection: sa.Connection, changes: Iterable[Change]) -> None:
    """Tell what the clock and payments did; a command is told with the timeline that it made."""
    announce(
        connection,
        [
            BillingEvent(
                id=f"subscription.state:{change.after.id}:{change.entry.key}",
                type="subscription.state",
                tenant=change.after.tenant,
                at_ms=change.entry.recorded_ms,
                data=as_json({"subscription": change.after.id, **transition(change.entry)}),
            )
            for change in changes
            if change.is_by_clock
        ],
    )


def transition(entry: PlanEntry) -> dict[str, Any]:
    """What is told to others of an entry."""
    return {
        "command": entry.command,
        "what": entry.what,
        "effective_ms": entry.effective_ms,
        "from_state": entry.from_state,
        "to_state": entry.to_state,
    }


def commands(connection: sa.Connection, ids: Sequence[str]) -> dict[str, dict[str, PlanEntry]]:
    """Entries of commands by subscription and key, in the order of their recording."""
    rows = subscription_changes.c
    query = (
        sa.select(rows.subscription, *(rows[name] for name in _ENTRY))
        .where(rows.subscription.in_(ids), rows.command != CLOCK)
        .order_by(rows.id)
    )
    found: defaultdict[str, dict[str, PlanEntry]] = defaultdict(dict)
    for row in connection.execute(query):
        found[row.subscription][row.key] = _entry(row)
    return dict(found)


def history(connection: sa.Connection, tenant: str) -> list[RecordedChange]:
    """Everything that was recorded of a tenant's subscription, in order."""
    query = (
        sa.select(subscription_changes, subscriptions.c.tenant)
        .join_from(subscription_changes, subscriptions)
        .where(subscriptions.c.tenant == tenant)
        .order_by(subscription_changes.c.id)
    )
    return [
        RecordedChange(row.tenant, _entry(row), row.version, row.before, row.after)
        for row in connection.execute(query)
    ]


def _entry(row: sa.Row[Any]) -> PlanEntry:
    return PlanEntry(**{name: row._mapping[name] for name in _ENTRY})
