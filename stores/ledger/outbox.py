"""Billing events on their way to the topic `billing.events`, and the audit log.

An event is written in the transaction of the change that it tells; its id is made from the
change, so telling twice is one row. Rows are marked one by one when the broker has them, never
passed by a cursor: a transaction that commits late is not left out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.record_tables import audit_log, billing_events


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """Something that happened to a tenant's account; `data` is JSON text."""

    id: str
    type: str
    tenant: str
    at_ms: int
    data: str


class Outbox(LedgerPart):
    """The tables `billing_events` and `audit_log`."""

    def behind_events(self, limit: int) -> list[BillingEvent]:
        """Events that are not yet marked as published, oldest first."""
        events = billing_events.c
        query = sa.select(
            events.event_id, events.type, events.tenant, events.at_ms, events.data
        ).where(events.published_ms.is_(None))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(events.id).limit(limit))
            return [BillingEvent(*row) for row in rows]

    def mark_events_published(self, ids: Sequence[str]) -> None:
        """Mark events that the broker has acknowledged."""
        if not ids:
            return
        marked = sa.update(billing_events).values(published_ms=self._clock())
        with self._writing() as connection:
            connection.execute(
                marked.where(billing_events.c.event_id == sa.bindparam("published")),
                [{"published": each} for each in ids],
            )

    def audit_log(self, subject: str | None = None) -> list[dict[str, Any]]:
        """Who did what and why, in order; of one subject (a tenant or month), or all."""
        query = sa.select(audit_log).order_by(audit_log.c.id)
        if subject is not None:
            query = query.where(audit_log.c.subject == subject)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def announce(connection: sa.Connection, events: Sequence[BillingEvent]) -> None:
    """Write events to the outbox; one that is there already is left as it is."""
    rows = [
        {
            "event_id": event.id,
            "type": event.type,
            "tenant": event.tenant,
            "at_ms": event.at_ms,
            "data": event.data,
        }
        for event in events
    ]
    if rows:
        connection.execute(upsert(connection, billing_events).on_conflict_do_nothing(), rows)


def audit(
    connection: sa.Connection, at_ms: int, who: str, action: str, details: dict[str, Any]
) -> None:
    """Write one line of the audit log for each subject in `details`."""
    rows = [
        {
            "at_ms": at_ms,
            "who": who,
            "action": action,
            "subject": subject,
            "detail": as_json(detail),
        }
        for subject, detail in details.items()
    ]
    if rows:
        connection.execute(sa.insert(audit_log), rows)


def as_json(value: object) -> str:
    """JSON text, the same for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
