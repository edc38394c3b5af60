"""How statements are told of cuts through the log, and of the bounds of many tenants at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from schemas.vector import Vector
from stores.warehouse.client import reachable

_MOMENT = pa.timestamp("ms", "UTC")


def as_arrays(cut: Vector) -> tuple[list[int], list[int]]:
    """A vector's keys and ends; epochs begin at 1, so the key 0 stands for nothing."""
    keys = [epoch << 16 | partition for epoch, partition in cut]
    return keys or [0], list(cut.values()) or [0]


def cut_parameters(as_of: Vector) -> dict[str, list[int]]:
    """The vector as `keys` and `ends`."""
    keys, ends = as_arrays(as_of)
    return {"keys": keys, "ends": ends}


@contextmanager
def bounds_slice(client: Client, bounds: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """A slice of `closing_bounds` with these tenants' bounds, for as long as the block.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    name = uuid4().hex
    if bounds:
        with reachable(client.uri):
            client.insert_arrow("closing_bounds", _table(name, bounds))
    try:
        yield name
    finally:
        if bounds:
            with reachable(client.uri):
                client.command(f"ALTER TABLE closing_bounds DROP PARTITION '{name}'")


def _table(name: str, bounds: Mapping[str, Sequence[int]]) -> pa.Table:
    instants = pa.array([list(rising) for rising in bounds.values()], pa.list_(pa.int64()))
    columns = {
        "slice": pa.array([name] * len(bounds), pa.string()),
        "tenant": pa.array(list(bounds), pa.string()),
        "bounds": instants.cast(pa.list_(_MOMENT)),
    }
    return pa.table(columns)
