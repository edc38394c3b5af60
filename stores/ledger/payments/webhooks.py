"""Verified webhooks, stored before they are acted on; a provider's event id is stored once."""

import sqlalchemy as sa

from schemas.payment import ProviderEvent
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.payment_tables import webhook_inbox


class Webhooks(LedgerPart):
    """The table `webhook_inbox`."""

    def receive_webhook(self, event: ProviderEvent, now_ms: int) -> bool:
        """Store a verified webhook; False if that event id is known already."""
        row = {
            "provider": event.provider,
            "event_id": event.event_id,
            "kind": event.kind,
            "reference": event.reference,
            "raw": event.raw,
            "received_ms": now_ms,
        }
        with self._writing() as connection:
            put = upsert(connection, webhook_inbox).values(row).on_conflict_do_nothing()
            stored = connection.execute(put.returning(webhook_inbox.c.id)).first()
            return stored is not None

    def pending_webhooks(self, limit: int) -> list[ProviderEvent]:
        """Webhooks stored and not yet acted on, oldest first; at most so many of each provider.

        So those of one that does not answer keep nobody else's back.
        """
        inbox = webhook_inbox.c
        place = sa.func.row_number().over(partition_by=inbox.provider, order_by=inbox.id)
        placed = sa.select(inbox.id, place.label("place")).where(inbox.done_ms.is_(None)).subquery()
        query = (
            sa.select(inbox.provider, inbox.event_id, inbox.kind, inbox.reference, inbox.raw)
            .join_from(webhook_inbox, placed, inbox.id == placed.c.id)
            .where(placed.c.place <= limit)
            .order_by(inbox.id)
        )
        with self._reading() as connection:
            return [ProviderEvent(*row) for row in connection.execute(query)]

    def finish_webhook(self, provider: str, event_id: str) -> None:
        """Mark a webhook as acted on."""
        inbox = webhook_inbox.c
        finished = (
            sa.update(webhook_inbox)
            .where(inbox.provider == provider, inbox.event_id == event_id, inbox.done_ms.is_(None))
            .values(done_ms=self._clock())
        )
        with self._writing() as connection:
            connection.execute(finished)
