"""Names in tables as small numbers, and back: joined and grouped faster than texts.

Numbers are in the order of the names, so that what is sorted by them is sorted by name.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.ordering import ordered

_NAMED = ("tenant", "subscription", "meter")

Names = Mapping[str, pa.Array]
"""For each column of names, all there are."""


def number(tables: MutableMapping[str, pa.Table]) -> Names:
    """Put numbers in place of the names that stand in any of the tables; which these are.

    The tables are replaced: millions of names are let go as they are numbered. It takes least where
    a table with nearly all names and few rows comes first.
    """
    names = dict[str, pa.Array]()
    for column in _NAMED:
        holders = [name for name, table in tables.items() if column in table.column_names]
        numbers, names[column] = _numbers(tables[name][column] for name in holders)
        for name, its in zip(holders, numbers, strict=True):
            tables[name] = _with(tables[name], column, its)
    return names


def named(table: pa.Table, names: Names) -> pa.Table:
    """The table with names in place of its numbers."""
    for column, own in names.items():
        if column in table.column_names:
            table = _with(table, column, own.take(table[column].combine_chunks()))
    return table


def in_parts(
    tables: MutableMapping[str, pa.Table], tenants: int, at_once: int
) -> Iterator[dict[str, pa.Table]]:
    """Numbered tables in parts of so many of the tenants, in their order; one part at least.

    They are taken out: what is cut is there once.
    """
    names, count = list(tables), max(1, -(-tenants // at_once))
    parts = [_cut(tables.pop(name), at_once, count) for name in names]
    return (dict(zip(names, each, strict=True)) for each in zip(*parts, strict=True))


def _cut(table: pa.Table, at_once: int, count: int) -> list[pa.Table]:
    """The table's rows of each part."""
    places = table["tenant"].to_numpy() // at_once
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
