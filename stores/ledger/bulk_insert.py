"""Columns into rows of a table: by the driver itself, many at a time."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from stores.ledger.connection import is_sqlite
from stores.ledger.part import chunks

# To open a table and its indexes costs SQLite as much as several rows.
_ROWS_A_STATEMENT = 100


def insert_columns(
    connection: sa.Connection, table: sa.Table, columns: Mapping[str, pa.Array | pa.ChunkedArray]
) -> None:
    """Insert rows that stand in columns, in the transaction that has begun on the connection."""
    there = {name: own for name, own in columns.items() if own.null_count < len(own)}
    names = ", ".join(there)
    rows = zip(*(column.to_pylist() for column in there.values()), strict=True)
    driver: Any = connection.connection.driver_connection
    if is_sqlite(connection):
        for some in chunks(rows, _ROWS_A_STATEMENT):
            marks = ", ".join([f"({', '.join('?' * len(there))})"] * len(some))
            insert = f"INSERT INTO {table.name} ({names}) VALUES {marks}"  # noqa: S608
            driver.execute(insert, list(chain.from_iterable(some))).close()
        return
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
