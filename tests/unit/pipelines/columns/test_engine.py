"""A database for one computation: empty at the beginning, gone at the end, alone meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pytest

from pipelines.columns.engine import database


def doubled(number: int) -> int:
    with database({"given": pa.table({"n": [number]})}) as connection:
        connection.execute("CREATE TABLE made AS SELECT 2 * n AS n FROM given")
        [(found,)] = connection.sql("FROM made").fetchall()
        return int(found)


def test_one_knows_nothing_of_another() -> None:
    assert [doubled(n) for n in (1, 2)] == [2, 4]
    with database() as connection, pytest.raises(duckdb.CatalogException):
        connection.sql("FROM given")


def test_threads_have_one_each() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(doubled, range(50))) == [2 * n for n in range(50)]


def break_off() -> None:
    with database() as connection:
        connection.begin()
        connection.execute("CREATE TABLE made AS SELECT 1 AS n")
        raise ZeroDivisionError


def test_one_that_breaks_off_in_a_transaction_leaves_nothing() -> None:
    with pytest.raises(ZeroDivisionError):
        break_off()
    with database() as connection:
        told = "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE 'computation%'"
        assert connection.sql(told).fetchall() == [(1,)]
