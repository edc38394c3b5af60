"""How statements are told of cuts through the log, and of the bounds of many tenants at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from schemas.tables import ArrowStream
from schemas.vector import Vector
from stores.warehouse.client import reachable

_MOMENT = pa.timestamp("ms", "UTC")
_INSTANTS = pa.list_(pa.int64())


def as_arrays(cut: Vector) -> tuple[list[int], list[int]]:
    """A vector's keys and ends; epochs begin at 1, so the key 0 stands for nothing."""
    keys = [epoch << 16 | partition for epoch, partition in cut]
    return keys or [0], list(cut.values()) or [0]


def cut_parameters(as_of: Vector) -> dict[str, list[int]]:
    """The vector as `keys` and `ends`."""
    keys, ends = as_arrays(as_of)
    return {"keys": keys, "ends": ends}


def unbounded(tenants: Iterable[str]) -> pa.Table:
    """These tenants as bounds: without any."""
    names = pa.array(tenants, pa.string())
    return pa.table({"tenant": names, "bounds": pa.array([[]] * len(names), _INSTANTS)})


@contextmanager
def bounds_slice(client: Client, bounds: ArrowStream) -> Iterator[str]:
    """A slice of `closing_bounds` with these tenants' bounds, for as long as the block.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    name, rows = uuid4().hex, pa.table(bounds)
    if rows.num_rows:
        with reachable(client.uri):
            client.insert_arrow("closing_bounds", _of_slice(name, rows))
    try:
        yield name
    finally:
        if rows.num_rows:
            with reachable(client.uri):
                client.command(f"ALTER TABLE closing_bounds DROP PARTITION '{name}'")


def _of_slice(name: str, bounds: pa.Table) -> pa.Table:
    moments = bounds["bounds"].cast(_INSTANTS).cast(pa.list_(_MOMENT))
    slice_ = pa.repeat(name, bounds.num_rows)
    return pa.table({"slice": slice_, "tenant": bounds["tenant"], "bounds": moments})
