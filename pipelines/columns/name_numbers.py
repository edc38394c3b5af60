"""Names in tables as small numbers, and back: joined and grouped faster than texts.

Numbers are in the order of the names, so that what is sorted by them is sorted by name.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.ordering import ordered

_NAMED = ("tenant", "subscription", "meter")

Names = Mapping[str, pa.Array]
"""For each column of names, all there are."""


def numbered(tables: Mapping[str, pa.Table]) -> tuple[dict[str, pa.Table], Names]:
    """The tables with numbers in place of their names, and the names that stand in any of them.

    It takes least where a table with nearly all names and few rows comes first.
    """
    own, names = dict(tables), dict[str, pa.Array]()
    for column in _NAMED:
        holders = [name for name, table in own.items() if column in table.column_names]
        numbers, names[column] = _numbers(own[name][column] for name in holders)
        for name, its in zip(holders, numbers, strict=True):
            own[name] = _with(own[name], column, its)
    return own, names


def named(table: pa.Table, names: Names) -> pa.Table:
    """The table with names in place of its numbers."""
    for column, own in names.items():
        if column in table.column_names:
            table = _with(table, column, own.take(table[column].combine_chunks()))
    return table


def in_parts(tables: Mapping[str, pa.Table], at_once: int) -> Iterator[dict[str, pa.Table]]:
    """Numbered tables in parts of so many tenants, in the order of these; one part at least."""
    places = {name: table["tenant"].to_numpy() // at_once for name, table in tables.items()}
    count = 1 + max((int(each.max(initial=0)) for each in places.values()), default=0)
    parts = [_cut(table, places[name], count) for name, table in tables.items()]
    return (dict(zip(tables, each, strict=True)) for each in zip(*parts, strict=True))


def _cut(table: pa.Table, places: np.ndarray, count: int) -> list[pa.Table]:
    """The table's rows of each place."""
    bounds = np.cumsum(np.bincount(places, minlength=count)).tolist()
    # Numbers of 16 bits are put in order by counting them.
    own = ordered(places.astype(np.int16 if count < 1 << 15 else np.int32), table)
    return [own.slice(start, end - start) for start, end in pairwise([0, *bounds])]


def _with(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, values)


def _numbers(columns: Iterable[pa.ChunkedArray]) -> tuple[list[pa.ChunkedArray], pa.Array]:
    """Each name's place among all names of the columns, and these in order."""
    known, found = pa.array([], pa.string()), list[pa.ChunkedArray]()
    for column in columns:
        places = pc.index_in(column, value_set=known)
        more = pc.unique(column.filter(pc.is_null(places)).drop_null())
        if len(more):
            others = pc.add(pc.index_in(column, value_set=more), len(known))
            places, known = pc.coalesce(places, others), pa.concat_arrays([known, more])
        found.append(places)
    order = pc.sort_indices(known)
    ranks = np.empty(len(known), np.int32)
    ranks[order.to_numpy()] = np.arange(len(known))
    return [pa.chunked_array([pa.array(ranks)]).take(places) for places in found], known.take(order)
