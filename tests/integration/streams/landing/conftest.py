"""A broker for the tests of a module, a warehouse and a source for each of them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from stores.kafka import KafkaAccess
from streams.topics import ensure_topics
from tests.embedded import running_broker
from tests.landings import PARTITIONS
from tests.warehouses import own_warehouse


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this module's own, with all topics."""
    with running_broker(tmp_path_factory.mktemp("landing-kafka")) as broker:
        ensure_topics(KafkaAccess(broker.servers), partitions=PARTITIONS, replication=1)
        yield broker.servers


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[tuple[Client, str]]:
    """An empty warehouse: a client of it, and its URL."""
    with own_warehouse(warehouse_url) as own:
        yield own


@pytest.fixture
def source() -> str:
    """A source that only this test's events have."""
    return f"source-{uuid4()}"
