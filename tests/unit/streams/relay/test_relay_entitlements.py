"""Timelines that an earlier revision made are published once more, when the relay starts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from countinghouse.init import DEFAULT_CATALOG, apply_catalog
from stores.kafka import KafkaAccess
from stores.ledger import Ledger, connect, migrate
from stores.ledger.connection import writing
from stores.ledger.tables.subscription_tables import tenants
from streams.relay.relay_duties import Delivery, EntitlementsDuty
from tests.builders import a_subscription, at

NOW = at("10-20")


class Kept:
    """A topic that takes everything."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def send(self, records: Sequence[tuple[str, bytes]]) -> Delivery:
        found = [msgspec.json.decode(value) for _, value in records]
        self.told += [(each["tenant"], each["version"]) for each in found]
        delivery = Delivery(KafkaAccess(""), "")
        delivery.acknowledged = list(range(len(records)))
        return delivery


@pytest.fixture
def books(tmp_path: Path) -> Ledger:
    """Two tenants, one of whom was published by the first revision in this month."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    books = connect(url, clock=lambda: NOW)
    apply_catalog(books, DEFAULT_CATALOG)
    both = [a_subscription("pro 09-01", name) for name in ("acme", "bolt")]
    books.save_subscriptions(both, NOW, "ada")
    books.mark_entitlements_published([("acme", 1), ("bolt", 1)])
    with writing(books._engine) as connection:
        acme = tenants.c.tenant == "acme"
        connection.execute(sa.update(tenants).where(acme).values(month="2026-10"))
    return books


def test_they_are_published_once_with_the_next_version(books: Ledger) -> None:
    topic: Any = Kept()
    for _ in range(2):
        relay = EntitlementsDuty(books, topic, lambda: NOW, 5_000)
        while relay.step():
            pass
    assert topic.told == [("acme", 2)]
