"""How the ledger is reached: the engine, its transactions, its failures, its version.

SQLite runs in WAL mode with foreign keys on, and every writing transaction takes the write lock
at its beginning, so that none fails in its middle. What the tables mean is not known here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from schemas.errors import DependencyUnreachable, InvalidInput
from stores.ledger.tables.tables import REVISION, VERSION_TABLE

BUSY_SECONDS = 30
"""How long a writer waits for another: a bulk chunk takes about a second."""

_SAFE = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
# A million rows are changed by one statement: 64 MiB of pages, and sorting in memory.
_BULK = ("cache_size = -65536", "temp_store = MEMORY")
_BEGIN = "ledger_begin"
# The last one, itself and none of its kinds: a file that is no database.
_NO_ANSWER = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.DatabaseError)


def open_engine(url: str) -> sa.Engine:
    """An engine for the ledger's URL; it connects when first used.

    Raises:
        InvalidInput: not a URL of SQLite (with a file) or Postgres.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _parse(url: str) -> sa.URL:
    hint = "set COUNTINGHOUSE_LEDGER to sqlite:////path/ledger.db or postgresql://user@host/name"
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput(f"the ledger's URL cannot be read; {hint}") from None
    backend = parsed.get_backend_name()
    in_file = backend == "sqlite" and parsed.database not in (None, "", ":memory:")
    if backend != "postgresql" and not in_file:
        raise InvalidInput(f"the ledger cannot be at {shown(parsed)}; {hint}")
    return parsed


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    # Transactions are ours to begin; without this the driver begins its own, later.
    dbapi_connection.isolation_level = None
    for pragma in (*_SAFE, *_BULK):
        dbapi_connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


def shown(url: sa.URL) -> str:
    """The URL as it may be printed, without a password."""
    return url.render_as_string(hide_password=True)


@contextmanager
def reported(engine: sa.Engine) -> Iterator[None]:
    """Turn a ledger that does not answer into one line with its address and the setting."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if type(error) not in _NO_ANSWER:
            raise
        cause = str(error.orig).strip().splitlines()[0]
        raise DependencyUnreachable(
            f"the ledger {shown(engine.url)} does not answer ({cause}); "
            "check that it is there, or set COUNTINGHOUSE_LEDGER"
        ) from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One snapshot for any number of SELECTs."""
    with reported(engine), engine.connect() as connection:
        if not is_sqlite(connection):
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction: all of it or, when the block raises, nothing."""
    with reported(engine), engine.connect() as connection, transaction(connection):
        yield connection


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """A writing transaction on a connection that has none; others wait from its first line on."""
    connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
    with connection.begin():
        yield


def without_transaction(connection: sa.Connection, statement: str, *values: object) -> None:
    """Run a SQLite statement that must stand outside any transaction."""
    connection.execution_options(**{_BEGIN: None})
    connection.exec_driver_sql(statement, tuple(values))
    connection.commit()


def is_sqlite(connection: sa.Connection) -> bool:
    """SQLite, else Postgres."""
    return connection.dialect.name == "sqlite"


def check_migrated(engine: sa.Engine) -> None:
    """Raise DependencyUnreachable unless the ledger is there with tables of this version."""
    remedy = "run `countinghouse up`, or set COUNTINGHOUSE_LEDGER"
    name = shown(engine.url)
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        raise DependencyUnreachable(f"there is no ledger at {name}; {remedy}")
    with reading(engine) as connection:
        found = _revision(connection)
    if found != REVISION:
        raise DependencyUnreachable(
            f"the ledger {name} has tables of version {found}; this program needs {REVISION}: "
            f"{remedy}"
        )


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: sa.ColumnClause[str] = sa.column("version_num")
    return connection.execute(sa.select(revision).select_from(sa.table(VERSION_TABLE))).scalar()
