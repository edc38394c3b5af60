"""A ledger in a temporary SQLite file, with one price list; or on Postgres, if asked for."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from stores.ledger import Ledger, connect, migrate
from tests.unit.stores.ledger.builders import CATALOG, NOW

POSTGRES = os.environ.get("COUNTINGHOUSE_TEST_POSTGRES")
_numbers = count()


@pytest.fixture
def empty_url(tmp_path: Path) -> Iterator[str]:
    """URL of a place for a ledger."""
    if POSTGRES is None:
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server = sa.create_engine(
        sa.make_url(POSTGRES).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    name = f"countinghouse_test_{os.getpid()}_{next(_numbers)}"
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield server.url.set(database=name).render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite ledger, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "ledger.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def url(request: pytest.FixtureRequest, empty_url: str) -> str:
    """URL of a migrated, empty ledger."""
    if POSTGRES is None:
        return str(request.getfixturevalue("sqlite_url"))
    migrate(empty_url)
    return empty_url


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated: Path) -> str:
    """URL of a migrated, empty ledger in SQLite, whatever the others run on."""
    copy = shutil.copy(migrated, tmp_path / "ledger.db")
    return f"sqlite:///{copy}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger whose clock stands at 2026-11-01T02:00:00Z."""
    opened = connect(url, clock=lambda: NOW)
    opened.apply_catalog(CATALOG, NOW)
    yield opened
    opened.close()
