"""What every part of the ledger shares: its engine, its clock, transactions, inserts.

A part owns a few tables and the rules between their rows; `Ledger` puts the parts together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from schemas.ports import Clock
from stores.ledger.connection import is_sqlite, reading, writing

IN_CHUNK = 5_000
"""Rows that are looked up by one list of keys: far below SQLite's limit on parameters."""

Row = TypeVar("Row")


class LedgerPart:
    """Some of the ledger's tables. Threads may share it; each call is its own transaction."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def _reading(self) -> AbstractContextManager[sa.Connection]:
        return reading(self._engine)

    def _writing(self) -> AbstractContextManager[sa.Connection]:
        return writing(self._engine)


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """`INSERT INTO table` with ON CONFLICT, in the connection's dialect."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)


def lock(connection: sa.Connection, table: sa.Table) -> None:
    """Let no one else write the table until the transaction ends; SQLite has locked already."""
    if not is_sqlite(connection):
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


def json_object(
    connection: sa.Connection, facts: Mapping[str, sa.ColumnElement[Any]]
) -> sa.ColumnElement[str]:
    """JSON text of columns, made by the database: for a million rows at once."""
    make = sa.func.json_object if is_sqlite(connection) else sa.func.json_build_object
    pairs: Iterable[tuple[sa.ColumnElement[Any], ...]] = (
        (sa.literal_column(f"'{name}'"), column) for name, column in facts.items()
    )
    return sa.cast(make(*chain.from_iterable(pairs)), sa.Text)


def insert_all(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; an empty list is nothing to do."""
    if rows:
        connection.execute(sa.insert(table), rows)


def chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of at most `size` rows, made as they are asked for."""
    source = iter(rows)
    while chunk := list(islice(source, size)):
        yield chunk
