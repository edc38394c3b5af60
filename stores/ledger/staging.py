"""Bulk rows on their way into the ledger: Arrow streams, staged beside it, then copied in chunks.

On SQLite, ADBC never opens the ledger's file: two copies of the SQLite library in one process on
one file can corrupt it. It writes a file of its own, which the ledger's one connection attaches.
On Postgres the rows go by COPY into temporary tables.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import adbc_driver_sqlite.dbapi
import pyarrow as pa
import sqlalchemy as sa

from schemas.errors import InvalidInput
from stores.ledger.connection import reported, without_transaction

CHUNK = 50_000
"""Rows of one transaction: about a second, so that webhooks are answered meanwhile."""

_ABANDONED_SECONDS = 86_400


class Staged:
    """Staged tables, seen from the one connection that can see them."""

    def __init__(self, connection: sa.Connection, schema: str) -> None:
        self.connection = connection
        self._schema = schema

    def table(self, name: str, columns: Mapping[str, str]) -> sa.TableClause:
        """A staged table, to select from."""
        return sa.table(name, *map(sa.column, [*columns, "rowid"]), schema=self._schema)

    def ranges(self, table: sa.TableClause, size: int = CHUNK) -> Iterator[sa.ColumnElement[bool]]:
        """Conditions that cut a staged table into chunks."""
        last = self.connection.execute(sa.select(sa.func.max(table.c.rowid))).scalar() or 0
        self.connection.rollback()
        for first in range(1, last + 1, size):
            yield table.c.rowid.between(first, first + size - 1)


@contextmanager
def staged(
    engine: sa.Engine, tables: Mapping[str, pa.Table | pa.RecordBatchReader]
) -> Iterator[Staged]:
    """Stage tables by name; they are gone when the block ends. No lock is held but in the copy."""
    if engine.dialect.name == "sqlite":
        with _staging_file(engine, tables) as file, reported(engine), _attached(engine, file) as it:
            yield it
    else:
        with reported(engine), engine.connect() as connection:
            try:
                yield _copied(connection, tables)
            finally:
                # The temporary tables are gone with it.
                connection.invalidate()


@contextmanager
def _staging_file(
    engine: sa.Engine, tables: Mapping[str, pa.Table | pa.RecordBatchReader]
) -> Iterator[Path]:
    ledger = Path(str(engine.url.database)).absolute()
    prefix = f"{ledger.name}.staging-"
    _remove_abandoned(ledger.parent, prefix)
    folder = Path(mkdtemp(prefix=prefix, dir=ledger.parent))
    try:
        _write(folder / "rows.db", tables)
        yield folder / "rows.db"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what killed runs have left; nothing in use is a day old."""
    oldest = time.time() - _ABANDONED_SECONDS
    for left in folder.glob(f"{prefix}*"):
        if left.stat().st_mtime < oldest:
            shutil.rmtree(left, ignore_errors=True)


def _write(file: Path, tables: Mapping[str, pa.Table | pa.RecordBatchReader]) -> None:
    connect = adbc_driver_sqlite.dbapi.connect
    with closing(connect(str(file), autocommit=True)) as adbc, closing(adbc.cursor()) as cursor:
        # The file lives for minutes and is made anew after a crash.
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):
            cursor.execute(f"PRAGMA {pragma}")
            cursor.fetchall()
        for name, rows in tables.items():
            with _stageable():
                cursor.adbc_ingest(name, rows, mode="create")


@contextmanager
def _stageable() -> Iterator[None]:
    """One line for rows that break off or do not fit, and for a disk that does not take them."""
    try:
        yield
    except (pa.ArrowInvalid, adbc_driver_sqlite.dbapi.Error) as error:
        cause = " ".join(str(error).split())
        raise InvalidInput(f"rows cannot be staged beside the ledger: {cause}") from error


@contextmanager
def _attached(engine: sa.Engine, file: Path) -> Iterator[Staged]:
    with engine.connect() as connection:
        try:
            without_transaction(connection, "ATTACH DATABASE ? AS staging", str(file))
            yield Staged(connection, "staging")
        finally:
            # The pool must not hand out a connection that still holds the file.
            connection.invalidate()


_POSTGRES_TYPES = {"string": "text", "int32": "integer", "int64": "bigint", "binary": "bytea"}


def _copied(
    connection: sa.Connection, tables: Mapping[str, pa.Table | pa.RecordBatchReader]
) -> Staged:
    for name, rows in tables.items():
        kinds = ", ".join(f"{it.name} {_POSTGRES_TYPES[str(it.type)]}" for it in rows.schema)
        connection.exec_driver_sql(
            f"CREATE TABLE pg_temp.{name} ({kinds}, rowid bigint GENERATED ALWAYS AS IDENTITY)"
        )
        with _stageable():
            _copy(connection, name, rows)
    connection.commit()
    return Staged(connection, "pg_temp")


def _copy(connection: sa.Connection, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
    driver: Any = connection.connection.driver_connection
    names = ", ".join(rows.schema.names)
    batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY pg_temp.{name} ({names}) FROM STDIN") as copy,
    ):
        for batch in batches:
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)
