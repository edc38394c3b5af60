"""Reaching the ledger: addresses, versions of its tables, transactions, failures."""

import multiprocessing
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from schemas.errors import DependencyUnreachable, InvalidInput
from stores.ledger import Ledger, connect, migrate
from stores.ledger.connection import open_engine, reading, writing
from stores.ledger.tables.subscription_tables import epochs
from stores.ledger.tables.tables import VERSION_TABLE, metadata
from tests.unit.stores.ledger.builders import NOW

ASKS_FOR_TLS = bytes.fromhex("00000008 04d2162f")
"""The first message of a client of Postgres that wants TLS."""


def test_migrations_make_exactly_the_tables_that_the_code_knows(ledger: Ledger) -> None:
    with reading(ledger._engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(url: str, ledger: Ledger) -> None:
    migrate(url)
    assert ledger.catalog()[0] == 1


@pytest.mark.integration
def test_two_processes_may_migrate_at_once(empty_url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(migrate, [empty_url, empty_url])
    connect(empty_url).close()


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
    migrate(url)
    connect(url).close()


def test_sqlite_runs_in_wal_mode_with_foreign_keys(sqlite_url: str) -> None:
    with reading(open_engine(sqlite_url)) as connection:
        pragmas = ("journal_mode", "foreign_keys", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert found == ["wal", 1, 30_000]


def test_what_raises_in_a_transaction_leaves_nothing(ledger: Ledger) -> None:
    row = {"epoch": 1, "topic_id": "a", "topic": "t", "partitions": 1, "opened_ms": NOW}
    with pytest.raises(sa.exc.IntegrityError), writing(ledger._engine) as connection:
        connection.execute(sa.insert(epochs), [row, row])
    assert ledger.epoch("a") is None


def test_a_writer_holds_the_lock_from_its_first_line_on(sqlite_url: str) -> None:
    database = sqlite_url.removeprefix("sqlite:///")
    with writing(open_engine(sqlite_url)):
        other = sqlite3.connect(database, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "the ledger's URL cannot be read; set COUNTINGHOUSE_LEDGER"),
        ("mysql://u:secret@h/d", r"mysql://u:\*\*\*@h/d; set COUNTINGHOUSE_LEDGER"),
        ("sqlite://", "set COUNTINGHOUSE_LEDGER"),
    ],
)
def test_a_wrong_url_is_one_line_with_the_setting(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        connect(url)
    assert "\n" not in str(raised.value)


def test_a_ledger_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with pytest.raises(DependencyUnreachable, match=r"there is no ledger at .*countinghouse up"):
        connect(f"sqlite:///{file}")
    assert not file.exists()


def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    sqlite3.connect(file).close()
    with pytest.raises(DependencyUnreachable, match=r"version None; this program needs \d{4}"):
        connect(f"sqlite:///{file}")


def test_a_postgres_that_does_not_answer_is_one_line_without_the_password() -> None:
    with pytest.raises(DependencyUnreachable, match="COUNTINGHOUSE_LEDGER") as raised:
        connect("postgresql://user:secret@127.0.0.1:1/billing?connect_timeout=2")
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_postgres_without_tls_is_refused_where_the_url_wants_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        asked = thread.submit(_refuse_tls, server)
        url = f"postgresql://user:secret@127.0.0.1:{server.getsockname()[1]}/billing"
        with pytest.raises(DependencyUnreachable, match="SSL"):
            connect(f"{url}?sslmode=require")
        assert asked.result(10) == ASKS_FOR_TLS


def _refuse_tls(server: socket.socket) -> bytes:
    wire, _ = server.accept()
    with wire:
        asked = wire.recv(8)
        wire.sendall(b"N")
    return asked


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database, but long enough to be read as one" * 99)
    with pytest.raises(DependencyUnreachable, match="not a database"):
        connect(f"sqlite:///{tmp_path / 'ledger.db'}")
