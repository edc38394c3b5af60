"""Subscriptions as a table of their segments: what is done with all of a month's reads this.

Owns the way between the records and the rows; what both mean is in `schemas.subscription`.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import pyarrow as pa

from pipelines.columns.tables import rows_of, schema_of
from schemas.subscription import PlanSegment, Subscription
from schemas.tables import SEGMENT_COLUMNS

_OF_SUBSCRIPTION = {
    "tenant": "tenant",
    "subscription": "id",
    "currency": "currency",
    "anchor_day": "anchor_day",
}
_OF_SEGMENT = ("plan", "catalog_version", "starts_ms", "ends_ms", "interval", "phase")


def segment_table(subscriptions: Iterable[Subscription]) -> pa.Table:
    """The segments (`SEGMENT_COLUMNS`) of these subscriptions, by tenant, id and time."""
    found = sorted(subscriptions, key=attrgetter("tenant", "id"))
    whose = [each for each in found for _ in each.segments]
    segments = [segment for each in found for segment in each.segments]
    columns: dict[str, Iterable[Any]] = {
        "ordinal": (place for each in found for place, _ in enumerate(each.segments)),
        **{name: map(attrgetter(field), whose) for name, field in _OF_SUBSCRIPTION.items()},
        **{name: map(attrgetter(name), segments) for name in _OF_SEGMENT},
    }
    schema = schema_of(SEGMENT_COLUMNS)
    return pa.table([pa.array(columns[each.name], each.type) for each in schema], schema=schema)


def subscriptions_of(segments: pa.Table) -> Iterator[Subscription]:
    """The subscriptions in rows that are in the order of `segment_table`.

    Rows know nothing of a card, nor by whom a segment was ended.
    """
    for whose, rows in groupby(rows_of(segments), itemgetter(*_OF_SUBSCRIPTION)):
        tenant, name, currency, anchor_day = whose
        own = tuple(PlanSegment(**{each: row[each] for each in _OF_SEGMENT}) for row in rows)
        yield Subscription(name, tenant, currency, "", own, anchor_day)
