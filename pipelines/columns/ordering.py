"""Tables in order, by comparing one number a row.

Sorting rows by several names takes longer than making them; so names are ranked first. What comes
nearly in order, as lines do, is then put in order for little.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MOST = 2**62
"""So many different rows can be told apart in 64 bits, with room to spare."""


def in_order(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The rows by these columns, none of which has a null; equal ones as they come."""
    places, span, coded = np.zeros(table.num_rows, np.int64), 1, table
    for column in columns:
        codes = table[column].combine_chunks().dictionary_encode()
        coded = coded.set_column(table.column_names.index(column), column, codes)
        ranks, count = _ranks(codes)
        if span * count > _MOST:
            places, span = np.unique(places, return_inverse=True)[1], table.num_rows
        places, span = places * count + ranks, span * count
    # Texts are copied in their new order, not gathered from all over the table.
    return ordered(places, coded).cast(table.schema)


def merged(one: pa.Table, other: pa.Table, by: str) -> pa.Table:
    """The rows of both by a column of numbers; where these are equal, as they come."""
    same = other.select(one.column_names).cast(one.schema)
    together = pa.concat_tables([one, same])
    return ordered(together[by].to_numpy(), together)


def ordered(places: NDArray[np.integer], table: pa.Table) -> pa.Table:
    """The rows by their places; equal ones as they come."""
    if bool(np.all(places[:-1] <= places[1:])):
        return table
    # This kind of sort takes one pass for each doubling of the number of rising runs.
    order = np.argsort(places, kind="stable")
    return table.take(pa.array(order))


def _ranks(encoded: pa.DictionaryArray) -> tuple[NDArray[np.int64], int]:
    """Each value's place among the different ones, and how many these are."""
    known = len(encoded.dictionary)
    ranks = np.empty(known, np.int64)
    ranks[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(known)
    return ranks[encoded.indices.to_numpy()], max(known, 1)
