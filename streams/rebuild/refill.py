"""Fills new meters from the deliveries that are stored already, by the same admission as ever.

A delivery is written again, whole, with all meters of its type: it replaces itself, and gives its
new meters their rows. So this may be killed and repeated. Limits of age and size are not asked:
the delivery was admitted once.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import msgspec
import pyarrow as pa
from clickhouse_connect.driver.client import Client

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.event import Event
from schemas.period import format_instant
from schemas.progress import Progress, unseen
from stores.warehouse.client import connect, reachable, statement
from streams.landing.batches import Deliveries, usage_table
from streams.landing.warehouse_sink import WarehouseSink

BATCH = 20_000
NO_LIMIT = 1 << 40


class Stored(NamedTuple):
    """A delivery as it is stored."""

    tenant: str
    source: str
    id: str
    type: str
    time_ms: int
    data: str
    repeated: bool
    partition: int
    epoch: int
    offset: int
    item: int
    arrived_ms: int
    sent_ms: int | None

    def element(self) -> bytes:
        """The event as it was sent; its data is the same text."""
        head = msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": self.source,
                "type": self.type,
                "subject": self.tenant,
                "time": format_instant(self.time_ms),
            }
        )
        return head[:-1] + b',"data":' + self.data.encode() + b"}"


def refill(url: str, catalog: Catalog, progress: Progress = unseen) -> int:
    """Write every delivery again that lacks a meter of its type; how many that were.

    Those that the price list would not admit today stay as they are.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    meters: dict[str, list[str]] = {}
    for meter in catalog.meter_list:
        meters.setdefault(meter.event_type, []).append(meter.name)
    filled = Refill(catalog)
    with closing(connect(url)) as client, closing(WarehouseSink(url)) as sink:
        for event_type, names in meters.items():
            for stored in _unfilled(client, event_type, names):
                for table in filled.tables(stored):
                    sink.insert({"usage_events": table})
                    progress(f"{filled.deliveries:,} stored deliveries are filled", 0, 0)
        if filled.deliveries:
            _merge(client)
    return filled.deliveries


class Refill:
    """Makes rows of stored deliveries by a price list; counts them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._admission = Admission(catalog, None, None, NO_LIMIT)
        self.deliveries = 0

    def tables(self, stored: Sequence[Stored]) -> Iterator[pa.Table]:
        """The rows of `usage_events`, a table for each epoch."""
        for epoch, rows in groupby(sorted(stored, key=attrgetter("epoch")), attrgetter("epoch")):
            found = Deliveries()
            for row in rows:
                self._add(found, row)
            self.deliveries += len(found.events)
            if found.events:
                yield usage_table(found, self._catalog, epoch)

    def _add(self, found: Deliveries, row: Stored) -> None:
        [event] = self._admission.admit(row.tenant.encode(), row.element(), row.arrived_ms)
        if not isinstance(event, Event):
            return
        if row.repeated:
            found.repeated.append(len(found.events))
        found.events.append(msgspec.structs.replace(event, item=row.item))
        found.partitions.append(row.partition)
        found.offsets.append(row.offset)
        found.arrived_ms.append(row.arrived_ms)
        found.sent_ms.append(row.sent_ms)
        found.counts.append(1)


def _unfilled(client: Client, event_type: str, meters: Sequence[str]) -> Iterator[list[Stored]]:
    asked = {"type": event_type, "meters": list(meters)}
    with (
        reachable(client.uri),
        client.query_row_block_stream(statement("unfilled"), parameters=asked) as blocks,
    ):
        batch: list[Stored] = []
        for block in blocks:
            batch += [Stored(*row) for row in block]
            if len(batch) >= BATCH:
                yield batch
                batch = []
        yield batch


def _merge(client: Client) -> None:
    """Drop the rows that were replaced: views that compare deliveries read them all."""
    with reachable(client.uri):
        client.command("OPTIMIZE TABLE usage_events FINAL")
