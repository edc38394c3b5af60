"""How statements are told of a cut through the log, and of the bounds of many tenants at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from schemas.vector import Vector

_MOMENT = pa.timestamp("ms", "UTC")


def cut_parameters(as_of: Vector) -> dict[str, list[int]]:
    """The vector as `keys` and `ends`; epochs begin at 1, so the key 0 stands for nothing."""
    keys = [epoch << 16 | partition for epoch, partition in as_of]
    return {"keys": keys or [0], "ends": list(as_of.values()) or [0]}


@contextmanager
def bounds_slice(client: Client, bounds: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """A slice of `closing_bounds` with these tenants' bounds, for as long as the block."""
    name = uuid4().hex
    if bounds:
        client.insert_arrow("closing_bounds", _table(name, bounds))
    try:
        yield name
    finally:
        if bounds:
            client.command(f"ALTER TABLE closing_bounds DROP PARTITION '{name}'")


def _table(name: str, bounds: Mapping[str, Sequence[int]]) -> pa.Table:
    instants = pa.array([list(rising) for rising in bounds.values()], pa.list_(pa.int64()))
    columns = {
        "slice": pa.array([name] * len(bounds), pa.string()),
        "tenant": pa.array(list(bounds), pa.string()),
        "bounds": instants.cast(pa.list_(_MOMENT)),
    }
    return pa.table(columns)
