"""The lines of invoices on their way into the ledger.

Owns the table `counted_lines`; whole lines lie in chunks, see `invoice_chunks`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.errors import InvalidInput
from stores.ledger.bulk_insert import insert_columns
from stores.ledger.invoices.invoice_chunks import Chunks, delete_chunks
from stores.ledger.tables.invoice_tables import counted_lines, invoices, line_chunks

_COUNTED = ("credit_applied", "item")


@dataclass(frozen=True, slots=True)
class PackedLines:
    """Lines of invoices that have no serials yet, by the places of their invoices."""

    chunks: Chunks
    counted: pa.Table

    def insert(self, connection: sa.Connection, month: str, first: int) -> None:
        """Store them; the invoice at place 0 has the serial `first`."""
        self.chunks.insert(connection, line_chunks, month, first)
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
    return PackedLines(Chunks.of(lines.drop_columns("place"), found, len(ids)), counted)


def delete_lines(connection: sa.Connection, first: int, last: int) -> None:
    """Delete lines between two serials whose invoices are gone."""
    gone = ~sa.exists().where(invoices.c.serial == counted_lines.c.invoice)
    connection.execute(
        sa.delete(counted_lines).where(counted_lines.c.invoice.between(first, last), gone)
    )
    delete_chunks(connection, line_chunks, first, last)
