"""Columns between Arrow and the ledger: checked, packed into a column of bytes, read from rows.

Owns how a table is stored as compressed Arrow, and how rows of the driver become columns.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.errors import InvalidInput
from schemas.tables import ArrowStream

READ_ROWS = 2_000
"""Rows that are read from the driver at a time: so few that they are turned into columns while they
are still in the processor's cache."""

_PACKED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1))


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a table described as in `schemas.tables`."""
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])


def typed(stream: ArrowStream, columns: Mapping[str, str]) -> pa.RecordBatchReader:
    """The stream with exactly these columns and types; a value that does not fit raises.

    Raises:
        InvalidInput: the columns are other ones.
    """
    reader = pa.RecordBatchReader.from_stream(stream)
    if reader.schema.names != list(columns):
        raise InvalidInput(
            f"the table has the columns {', '.join(reader.schema.names)};"
            f" wanted are {', '.join(columns)}"
        )
    return reader.cast(arrow_schema(columns))


@contextmanager
def storable() -> Iterator[None]:
    """One line for a stream that breaks off, or whose values do not fit."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        cause = " ".join(str(error).split())
        raise InvalidInput(f"rows cannot be stored in the ledger: {cause}") from error


def packed(rows: pa.Table) -> bytes:
    """A table as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKED) as writer:
        writer.write_table(rows.combine_chunks())
    return bytes(sink.getvalue())


def unpacked(stored: bytes) -> Iterator[pa.RecordBatch]:
    """The batches of what `packed` made."""
    return iter(pa.ipc.open_stream(pa.py_buffer(stored)))


def streamed(batches: Iterable[pa.RecordBatch], columns: Mapping[str, str]) -> ArrowStream:
    """Batches as a stream; they are made when it is read."""
    reader: ArrowStream = pa.RecordBatchReader.from_batches(arrow_schema(columns), batches)
    return reader


def read_batches(
    connection: sa.Connection, query: sa.Select[Any], columns: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    """The query's rows as batches of these columns, in its order.

    The driver's own tuples are read: a row object for each would cost several times as much.
    """
    schema = arrow_schema(columns)
    result = connection.execute(query, execution_options={"yield_per": READ_ROWS})
    fetch = result.cursor_strategy.fetchmany
    with closing(result):
        while result.cursor is not None and (rows := fetch(result, result.cursor, READ_ROWS)):
            yield _batch(rows, schema)


def _batch(rows: Iterable[Any], schema: pa.Schema) -> pa.RecordBatch:
    values = zip(*rows, strict=True)
    arrays = [pa.array(each, it.type) for each, it in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
