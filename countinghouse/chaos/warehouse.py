"""What the warehouse holds, asked in SQL of its own: rows to be compared with the truth."""

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

from countinghouse.chaos.messages import Identity
from countinghouse.chaos.truth import CounterKey
from countinghouse.chaos.windows import instant, instant_ms
from stores.warehouse.client import connect

Place = tuple[int, int, int]
"""Partition, offset and item."""

_FINAL = {"do_not_merge_across_partitions_select_final": 1}

_DELIVERIES = """
SELECT partition, bitAnd(bitNot(ver), 281474976710655), item, tenant, toString(source), id
FROM usage_events FINAL
"""
_METERED = """
SELECT tenant, toString(source), id, toString(meter), value, member FROM metered_usage FINAL
"""
_COUNTERS = """
SELECT tenant, toString(meter), toString(window_kind), window_start, used FROM counters FINAL
"""
_REJECTED = """
SELECT partition, offset, item, toString(reason), hex(element) FROM rejected FINAL
"""
_CONFLICTS = "SELECT tenant, source, id FROM conflicts"


class Warehouse:
    """The tables as they are now; open within `closing`."""

    def __init__(self, url: str) -> None:
        self._client: Client = connect(url)

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def deliveries(self) -> dict[Place, Identity]:
        """`usage_events`: who stands where."""
        rows = self._rows(_DELIVERIES)
        return {(p, offset, item): Identity(*who) for p, offset, item, *who in rows}

    def metered(self) -> list[tuple[Identity, str, Decimal, str]]:
        """`metered_usage`: the value and the member of each event and meter."""
        rows = self._rows(_METERED)
        return [(Identity(*who), meter, value, member) for *who, meter, value, member in rows]

    def counters(self) -> dict[CounterKey, Decimal]:
        """`counters`, by key."""
        return {
            CounterKey(tenant, meter, kind, instant(instant_ms(start))): used
            for tenant, meter, kind, start, used in self._rows(_COUNTERS)
        }

    def rejected(self) -> list[tuple[Place, str, bytes]]:
        """`rejected`: where, why, and the element."""
        rows = self._rows(_REJECTED)
        return [((p, n, item), reason, bytes.fromhex(text)) for p, n, item, reason, text in rows]

    def conflicts(self) -> list[Identity]:
        """The view `conflicts`."""
        return [Identity(*who) for who in self._rows(_CONFLICTS)]

    def _rows(self, sql: str) -> Iterator[Any]:
        with self._client.query_rows_stream(sql, settings=_FINAL) as stream:
            yield from stream


def opened(url: str) -> "closing[Warehouse]":
    """The warehouse, closed after the block."""
    return closing(Warehouse(url))
