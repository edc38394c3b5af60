"""Subscriptions as a table of their segments, for what a month's close does with all of them."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.period import BillingPeriod
from schemas.tables import SEGMENT_COLUMNS, ArrowStream
from stores.ledger.columns import read_batches, streamed
from stores.ledger.part import IN_CHUNK, LedgerPart, chunks
from stores.ledger.subscriptions.subscription_rows import reaches_into
from stores.ledger.tables.subscription_tables import subscription_segments, subscriptions, tenants


class Segments(LedgerPart):
    """Reads the tables `tenants`, `subscriptions` and `subscription_segments` in bulk."""

    def segments(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> ArrowStream:
        """All segments (`SEGMENT_COLUMNS`) of subscriptions that exist for any part of the period.

        By tenant, subscription and time; of all tenants, or of these alone.
        """
        return streamed(self._segments(period, tenants), SEGMENT_COLUMNS)

    def _segments(
        self, period: BillingPeriod, named: Collection[str] | None
    ) -> Iterator[pa.RecordBatch]:
        with self._reading() as connection:
            for condition in _conditions(period, named):
                yield from read_batches(connection, _query(condition), SEGMENT_COLUMNS)


def _conditions(
    period: BillingPeriod, named: Collection[str] | None
) -> Iterator[sa.ColumnElement[bool]]:
    """One for all, or one for each list of keys."""
    if named is None:
        yield reaches_into(period)
        return
    for part in chunks(sorted(named), IN_CHUNK):
        yield sa.and_(reaches_into(period), tenants.c.tenant.in_(part))


def _query(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    segment = subscription_segments.c
    return (
        sa.select(
            tenants.c.tenant,
            subscriptions.c.id,
            tenants.c.currency,
            subscriptions.c.anchor_day,
            segment.ordinal - 1,
            segment.plan,
            segment.catalog_version,
            segment.starts_ms,
            segment.ends_ms,
            segment.billing_interval,
            segment.phase,
        )
        .join_from(tenants, subscriptions)
        .join(subscription_segments)
        .where(condition)
        .order_by(tenants.c.tenant, subscriptions.c.id, segment.ordinal)
    )
