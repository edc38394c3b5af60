"""The events behind invoice lines: what they add up to, their digest, and the events themselves.

Implements `schemas.evidence.EventReader`; every read is as of a cut through the log.
"""

from collections.abc import Iterable

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from schemas.evidence import DIGEST_COLUMNS, EVENT_COLUMNS, EventsOf, Evidence, digest
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.tables import ArrowStream
from schemas.vector import Vector
from stores.warehouse.client import ask, reachable, statement
from stores.warehouse.cuts import as_arrays, bounds_slice, cut_parameters
from stores.warehouse.repeats import Repeats

_KINDS = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64()}
_SCHEMA = pa.schema([(name, _KINDS[kind]) for name, kind in EVENT_COLUMNS.items()])
_DIGESTS = pa.schema([(name, _KINDS[kind]) for name, kind in DIGEST_COLUMNS.items()])


class WarehouseEvents(Repeats):
    """Events as explanations and bundles read them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def evidence(self, asked: EventsOf) -> Evidence:
        """What the events add up to, and their digest."""
        [[events, micro, *halves]] = ask(self._client, "line_evidence", _parameters(asked))
        return Evidence(
            events, micro, digest((halves[0], halves[1])), *self._split(asked, events, micro)
        )

    def events(self, asked: EventsOf) -> pa.Table:
        """The events themselves (`EVENT_COLUMNS`), by time and key."""
        with reachable(self._client.uri):
            table = self._client.query_arrow(
                statement("line_events"), parameters=_parameters(asked)
            )
        if not table.num_rows:
            return _SCHEMA.empty_table()
        return table.select(_SCHEMA.names).cast(_SCHEMA)

    def digests(
        self,
        period: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> pa.Table:
        """The digest of each tenant's events by meter, segment and value, over a period.

        Of all tenants, or only of those that have bounds.
        """
        whole = [m.name for m in meters if not m.is_additive and m.aggregation != "time_weighted"]
        with reachable(self._client.uri), bounds_slice(self._client, bounds) as slice_name:
            asked = {
                **{"start_ms": period.start_ms, "end_ms": period.end_ms},
                **cut_parameters(as_of),
                **{"slice": slice_name, "whole": whole, "only_bounded": only_bounded},
            }
            table = self._client.query_arrow(statement("digests"), parameters=asked)
        if not table.num_rows:
            return _DIGESTS.empty_table()
        return table.select(_DIGESTS.names).cast(_DIGESTS)

    def _split(self, asked: EventsOf, events: int, micro: int) -> tuple[int, int, int, int]:
        """Events and quantity within what is included, and those beyond it."""
        if asked.left_micro is None:
            return events, micro, 0, 0
        [found] = ask(self._client, "line_split", _parameters(asked))
        return found[0], found[1], found[2], found[3]


def _parameters(asked: EventsOf) -> dict[str, object]:
    after_keys, after_ends = as_arrays(asked.after)
    return {
        "tenant": asked.tenant,
        "meter": asked.meter,
        "start_ms": asked.period.start_ms,
        "end_ms": asked.period.end_ms,
        **cut_parameters(asked.as_of),
        "after_keys": after_keys,
        "after_ends": after_ends,
        "is_one_value": asked.value is not None,
        "value": asked.value or "",
        "is_unlimited": asked.left_micro is None,
        "left_micro": asked.left_micro or 0,
    }
