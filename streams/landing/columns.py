"""Python's sequences as Arrow columns, none of which rounds or cuts anything."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.admission.bulk_reading import ends_of

MOMENT = pa.timestamp("ms", "UTC")


def texts(column: Sequence[str]) -> pa.Array:
    """Texts."""
    return pa.array(column, pa.string())


def moments(instants_ms: Sequence[int | None] | NDArray[np.int64]) -> pa.Array:
    """Epoch milliseconds as instants."""
    return pa.array(instants_ms, pa.int64()).cast(MOMENT)


def decimals(micro: NDArray[np.int64], kind: pa.Decimal128Type) -> pa.Array:
    """Integers as the unscaled values of a decimal column: 1 of decimal(18, 6) is 0.000001."""
    words = np.empty((len(micro), 2), np.int64)
    words[:, 0] = micro
    words[:, 1] = micro >> 63
    return pa.Array.from_buffers(kind, len(micro), [None, pa.py_buffer(words)])


def buffers(column: Sequence[Any]) -> pa.Array:
    """Buffers as bytes, without an object for each."""
    parts = [None, pa.py_buffer(ends_of(column)), pa.py_buffer(b"".join(column))]
    return pa.Array.from_buffers(pa.binary(), len(column), parts)


def marks(length: int, marked: Sequence[int]) -> pa.Array:
    """True at the marked indexes."""
    column = np.zeros(length, np.bool_)
    column[list(marked)] = True
    return pa.array(column)


def spreading(counts: Sequence[int]) -> Callable[[pa.Array], pa.Array]:
    """Makes a column of events out of one of records, which have so many events each."""
    if counts.count(1) == len(counts):
        return lambda column: column
    record = pa.array(np.repeat(np.arange(len(counts)), counts))
    return lambda column: column.take(record)
