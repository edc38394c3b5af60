"""What invoices say as the ledger keeps it: as columns, a thousand invoices' together.

Owns the tables `line_chunks` and `document_chunks`, which are alike: a chunk holds the rows of the
invoices with some serials, each row with the id of its invoice, also of such as are gone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from stores.ledger.columns import packed, unpacked
from stores.ledger.tables.invoice_tables import invoices

CHUNK_INVOICES = 1_000


@dataclass(frozen=True, slots=True)
class Chunks:
    """Rows of invoices that have no serials yet, by the places of the invoices."""

    packed: Sequence[tuple[int, int, bytes]]

    @classmethod
    def of(cls, rows: pa.Table, places: np.ndarray, count: int) -> "Chunks":
        """Rows of `count` invoices; `places` rise, and say of each row whose it is."""
        starts = range(0, count, CHUNK_INVOICES)
        cuts = np.searchsorted(places, [*starts, count])
        return cls(
            [
                (start, min(start + CHUNK_INVOICES, count) - 1, packed(rows.slice(cut, end - cut)))
                for start, cut, end in zip(starts, cuts[:-1], cuts[1:], strict=True)
            ]
        )

    def insert(self, connection: sa.Connection, table: sa.Table, month: str, first: int) -> None:
        """Store them; the invoice at place 0 has the serial `first`."""
        rows = [
            {"month": month, "first_serial": first + start, "last_serial": first + end, "rows": own}
            for start, end, own in self.packed
        ]
        connection.execute(sa.insert(table), rows)


def rows_of(
    connection: sa.Connection, table: sa.Table, month: str, serials: Iterable[int]
) -> Iterator[pa.Table]:
    """The rows of some invoices of a month, by serial, chunk by chunk."""
    own, start = sorted(serials), 0
    while start < len(own):
        rows, first, last = _chunk(connection, table, month, own[start])
        end = bisect_right(own, last, start)
        is_whole = end - start == last - first + 1
        yield rows if is_whole else _among(connection, rows, own[start:end])
        start = end


def delete_chunks(connection: sa.Connection, table: sa.Table, first: int, last: int) -> None:
    """Delete the chunks between two serials whose invoices are all gone."""
    chunk = table.c
    within = invoices.c.serial.between(chunk.first_serial, chunk.last_serial)
    connection.execute(
        sa.delete(table).where(
            chunk.last_serial >= first, chunk.first_serial <= last, ~sa.exists().where(within)
        )
    )


def _chunk(
    connection: sa.Connection, table: sa.Table, month: str, serial: int
) -> tuple[pa.Table, int, int]:
    chunk = table.c
    query = (
        sa.select(chunk.rows, chunk.first_serial, chunk.last_serial)
        .where(chunk.month == month, chunk.first_serial <= serial)
        .order_by(chunk.first_serial.desc())
    )
    stored, first, last = connection.execute(query.limit(1)).one()
    return pa.Table.from_batches(unpacked(stored)), first, last


def _among(connection: sa.Connection, rows: pa.Table, serials: Sequence[int]) -> pa.Table:
    """The rows of these invoices alone."""
    query = sa.select(invoices.c.id).where(invoices.c.serial.in_(serials))
    ids = connection.execute(query).scalars().all()
    return rows.filter(pc.is_in(rows["invoice"], value_set=pa.array(ids, pa.string())))
