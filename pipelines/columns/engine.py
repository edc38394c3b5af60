"""DuckDB within this process: an empty database for one computation, gone with it.

Owns that the engine is started once: that takes as long as a small month's statements.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count

import duckdb
import pyarrow as pa

_numbers = count(1)


@contextmanager
def database(
    tables: Mapping[str, pa.Table] | None = None, *, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with these tables to read. Threads may have one each at the same time.

    `threads` is how many of its own a statement takes, by default as many as there are cores; one
    where several databases are at work side by side: it takes less memory, and no longer.
    """
    name = f"computation_{next(_numbers)}"
    with _engine(threads).cursor() as connection:
        connection.execute(f"ATTACH ':memory:' AS {name}")
        connection.execute(f"USE {name}")
        try:
            for table, rows in (tables or {}).items():
                connection.register(table, rows)
            yield connection
        finally:
            with contextlib.suppress(duckdb.TransactionException):  # there was none
                connection.rollback()
            connection.execute("USE memory")
            connection.execute(f"DETACH {name}")


@cache
def _engine(threads: int | None) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={} if threads is None else {"threads": threads})
