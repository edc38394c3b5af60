"""A clickhouse-connect client on the session's warehouse front, with a database of its own."""

from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

DATABASE = "front"


@pytest.fixture(scope="session")
def database_url(warehouse_url: str) -> str:
    """The front's address with the tests' database in it."""
    with clickhouse_connect.get_client(dsn=warehouse_url) as admin:
        admin.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    return warehouse_url.replace("/default", f"/{DATABASE}")


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """An ordinary client."""
    with clickhouse_connect.get_client(dsn=database_url) as client:
        yield client


@pytest.fixture
def table(client: Client) -> str:
    """An empty table `t(id Int64, name String, amount Decimal(18, 6), at DateTime64(3, 'UTC'))`."""
    client.command("DROP TABLE IF EXISTS t")
    client.command(
        "CREATE TABLE t (id Int64, name String, amount Decimal(18, 6), at DateTime64(3, 'UTC')) "
        "ENGINE = MergeTree ORDER BY id"
    )
    return "t"
