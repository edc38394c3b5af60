"""The lines of invoices as the ledger keeps them: as columns, a thousand invoices' together.

Owns the tables `line_chunks` and `counted_lines`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.errors import InvalidInput
from stores.ledger.bulk_insert import insert_columns
from stores.ledger.columns import packed, unpacked
from stores.ledger.invoice_tables import counted_lines, invoices, line_chunks

CHUNK_INVOICES = 1_000
_COUNTED = ("credit_applied", "item")


@dataclass(frozen=True, slots=True)
class PackedLines:
    """Lines of invoices that have no serials yet: chunks by the places of their invoices."""

    chunks: Sequence[tuple[int, int, bytes]]
    counted: pa.Table

    def insert(self, connection: sa.Connection, month: str, first: int) -> None:
        """Store them; the invoice at place 0 has the serial `first`."""
        rows = [
            {"month": month, "first_serial": first + start, "last_serial": first + end, "rows": own}
            for start, end, own in self.chunks
        ]
        connection.execute(sa.insert(line_chunks), rows)
        if self.counted.num_rows:
            serials = pc.add(self.counted["place"], first)
            columns = {name: self.counted[name] for name in counted_lines.c.keys()[1:]}
            insert_columns(connection, counted_lines, {"invoice": serials, **columns})


def pack(ids: pa.Array, lines: pa.Table) -> PackedLines:
    """Lines (`INVOICE_LINE_COLUMNS`) of the invoices with these ids, in the order of both.

    Raises:
        InvalidInput: a line is of none of them.
    """
    places = pc.index_in(lines["invoice"], value_set=ids).cast(pa.int64())
    if places.null_count:
        stray = lines["invoice"].filter(pc.is_null(places))[0]
        raise InvalidInput(f"{places.null_count} lines are of no draft, one of them of {stray}")
    lines = lines.append_column("place", places)
    found = places.to_numpy()
    if not bool(np.all(found[:-1] <= found[1:])):
        lines = lines.sort_by([("place", "ascending"), ("ordinal", "ascending")])
        found = lines["place"].to_numpy()
    counted = lines.filter(pc.is_in(lines["kind"], value_set=pa.array(_COUNTED, pa.string())))
    starts = range(0, len(ids), CHUNK_INVOICES)
    ends = [min(start + CHUNK_INVOICES, len(ids)) for start in starts]
    cuts = np.searchsorted(found, [0, *ends])
    plain = lines.drop_columns("place")
    chunks = [
        (start, end - 1, packed(plain.slice(cuts[n], cuts[n + 1] - cuts[n])))
        for n, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return PackedLines(chunks, counted)


Named = tuple[str, int, str]
"""An invoice by month, serial and id."""


def lines_of(connection: sa.Connection, found: Iterable[Named]) -> Iterator[pa.Table]:
    """The lines of some invoices, in order, chunk by chunk."""
    by_month: dict[str, list[tuple[int, str]]] = {}
    for month, serial, name in found:
        by_month.setdefault(month, []).append((serial, name))
    for month, own in by_month.items():
        own.sort()
        while own:
            rows, last = _chunk(connection, month, own[0][0])
            count = bisect_right(own, last, key=lambda each: each[0])
            yield _of_ids(rows, [name for _, name in own[:count]])
            del own[:count]


def lines_of_month(connection: sa.Connection, month: str) -> Iterator[pa.RecordBatch]:
    """The lines of all invoices of a month."""
    within = invoices.c.serial.between(line_chunks.c.first_serial, line_chunks.c.last_serial)
    there = sa.select(sa.func.count()).select_from(invoices).where(within).scalar_subquery()
    size = line_chunks.c.last_serial - line_chunks.c.first_serial + 1
    query = sa.select(line_chunks.c.first_serial, line_chunks.c.rows, there == size).where(
        line_chunks.c.month == month
    )
    ordered = query.order_by(line_chunks.c.first_serial)
    for first, stored, is_whole in connection.execute(ordered.execution_options(yield_per=20)):
        rows = pa.Table.from_batches(unpacked(stored))
        yield from (rows if is_whole else _there(connection, month, first, rows)).to_batches()


def delete_lines(connection: sa.Connection, serials: tuple[int, int]) -> None:
    """Delete lines between two serials whose invoices are gone."""
    first, last = serials
    gone = ~sa.exists().where(invoices.c.serial == counted_lines.c.invoice)
    connection.execute(
        sa.delete(counted_lines).where(counted_lines.c.invoice.between(first, last), gone)
    )
    chunk = line_chunks.c
    within = invoices.c.serial.between(chunk.first_serial, chunk.last_serial)
    connection.execute(
        sa.delete(line_chunks).where(
            chunk.last_serial >= first, chunk.first_serial <= last, ~sa.exists().where(within)
        )
    )


def _chunk(connection: sa.Connection, month: str, serial: int) -> tuple[pa.Table, int]:
    chunk = line_chunks.c
    query = (
        sa.select(chunk.rows, chunk.last_serial)
        .where(chunk.month == month, chunk.first_serial <= serial)
        .order_by(chunk.first_serial.desc())
    )
    stored, last = connection.execute(query.limit(1)).one()
    return pa.Table.from_batches(unpacked(stored)), last


def _there(connection: sa.Connection, month: str, first: int, rows: pa.Table) -> pa.Table:
    """The rows whose invoices are not gone."""
    ids = pc.unique(rows["invoice"]).to_pylist()
    last = first + CHUNK_INVOICES
    own = sa.and_(invoices.c.month == month, invoices.c.serial.between(first, last))
    found = set(connection.execute(sa.select(invoices.c.id).where(own)).scalars())
    return _of_ids(rows, [each for each in ids if each in found])


def _of_ids(rows: pa.Table, ids: Sequence[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["invoice"], value_set=pa.array(ids, pa.string())))
