"""A warehouse for each test, in a database of its own."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from tests.warehouses import own_warehouse


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Client]:
    """A client of an empty warehouse."""
    with own_warehouse(warehouse_url) as (client, _):
        yield client
