"""Slices whose rows are columns: chunks of compressed Arrow, read in the order of their key.

A chunk is a transaction, and holds all rows of each of its tenants.
"""

import operator
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.errors import InvalidInput
from schemas.tables import ArrowStream
from stores.ledger.columns import packed, storable, typed, unpacked
from stores.ledger.connection import writing
from stores.ledger.months.slices import Slice
from stores.ledger.tables.closing_tables import slice_chunks

CHUNK_ROWS = 200_000


@dataclass(frozen=True)
class ColumnSlice:
    """A slice of these columns, whose rows rise strictly by `key`; its first column is `tenant`."""

    marks: Slice
    columns: Mapping[str, str]
    key: Sequence[str]

    def replace(self, engine: sa.Engine, rows: ArrowStream) -> None:
        """Replace the slice by these rows; no more than a chunk of them is held at a time.

        Raises:
            InvalidInput: they are of other columns, or not in the order of the key.
        """
        stream = typed(rows, self.columns)
        with writing(engine) as connection:
            generation = self.marks.begin(connection)
            self._delete(connection, operator.ne)
        count = 0
        for ordinal, chunk in enumerate(self._chunks(stream), start=1):
            with writing(engine) as connection:
                self.marks.check_owner(connection, generation)
                self._write(connection, generation, ordinal, chunk)
            count += chunk.num_rows
        with writing(engine) as connection:
            self.marks.complete(connection, generation, count)
        with writing(engine) as connection:
            self._delete(connection, operator.lt)

    def read(self, connection: sa.Connection) -> Iterator[pa.RecordBatch]:
        """The rows that count."""
        chunks = slice_chunks.c
        query = sa.select(chunks.rows).where(
            self._own_chunks, chunks.generation == self.marks.live_generation
        )
        result = connection.execution_options(yield_per=1).execute(query.order_by(chunks.ordinal))
        for stored in result.scalars():
            yield from unpacked(stored)

    def _chunks(self, rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
        last: pa.Table | None = None
        with storable():
            for chunk in of_whole_tenants(rows, CHUNK_ROWS):
                whole = chunk if last is None else pa.concat_tables([last, chunk])
                if not rises(whole, self.key):
                    raise InvalidInput(
                        f"the {self.marks.name} of {self.marks.month} are not in the order of "
                        f"{', '.join(self.key)}, or hold a row twice"
                    )
                yield chunk
                last = chunk.slice(chunk.num_rows - 1)

    def _write(
        self, connection: sa.Connection, generation: int, ordinal: int, chunk: pa.Table
    ) -> None:
        row = {"month": self.marks.month, "slice": self.marks.name, "generation": generation}
        content = {"ordinal": ordinal, "row_count": chunk.num_rows, "rows": packed(chunk)}
        connection.execute(sa.insert(slice_chunks).values(row | content))

    def _delete(self, connection: sa.Connection, which: Callable[[Any, Any], Any]) -> None:
        """Delete generations that stand so to the live one."""
        for table, own in self._own_rows():
            rubbish = which(table.c.generation, self.marks.live_generation)
            connection.execute(sa.delete(table).where(own, rubbish))

    def _own_rows(self) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
        return [(slice_chunks, self._own_chunks)]

    @property
    def _own_chunks(self) -> sa.ColumnElement[bool]:
        chunks = slice_chunks.c
        return sa.and_(chunks.month == self.marks.month, chunks.slice == self.marks.name)


def of_whole_tenants(batches: pa.RecordBatchReader, size: int) -> Iterator[pa.Table]:
    """Tables of about `size` rows of a stream that is ordered by tenant; none cuts a tenant."""
    rest = batches.schema.empty_table()
    for batch in batches:
        for first in range(0, batch.num_rows, size):
            rest = pa.concat_tables([rest, pa.Table.from_batches([batch.slice(first, size)])])
            if rest.num_rows >= size and (whole := _rows_of_earlier_tenants(rest)):
                yield rest.slice(0, whole)
                rest = rest.slice(whole)
    if rest.num_rows:
        yield rest


def _rows_of_earlier_tenants(rows: pa.Table) -> int:
    """Rows before those of the last tenant."""
    names = rows["tenant"]
    last = names[-1].as_py()
    return bisect_left(range(len(names)), last, key=lambda row: names[row].as_py())


def rises(rows: pa.Table, key: Sequence[str]) -> bool:
    """Is each row's key above that of the row before?"""
    rising: Any = False
    for name in reversed(key):
        before, after = rows[name].slice(0, max(rows.num_rows - 1, 0)), rows[name].slice(1)
        rising = pc.or_(pc.less(before, after), pc.and_(pc.equal(before, after), rising))
    return pc.all(rising, skip_nulls=False, min_count=0).as_py() is True
