"""A consumer that leaves its group does not wait for members that are somewhere else."""

import asyncio
import time
from collections.abc import Iterable
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.membership import GOODBYE_SECONDS, membership

pytestmark = pytest.mark.integration


def a_topic(servers: str) -> str:
    topic = f"membership-{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result()
    return topic


def another(servers: str, topic: str) -> Consumer:
    """A member that is there as long as somebody polls, and holds a rebalance up after that."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": topic,
            "session.timeout.ms": 20_000,
            "max.poll.interval.ms": 20_000,
        }
    )
    # It is told of what it loses, and so has to poll before it joins again.
    consumer.subscribe([topic], on_revoke=lambda *_: None)
    return consumer


class _Told(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, revoked: asyncio.Event) -> None:
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._revoked.set()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """What it is given does not matter here."""


async def joined(consumer: Consumer) -> None:
    while not consumer.assignment():
        await asyncio.to_thread(consumer.poll, 0.1)


def test_leaving_in_the_middle_of_a_rebalance_takes_no_longer_than_a_goodbye(
    kafka_servers: str,
) -> None:
    topic = a_topic(kafka_servers)
    absent, late = another(kafka_servers, topic), another(kafka_servers, topic)

    async def act() -> float:
        own = AIOKafkaConsumer(bootstrap_servers=kafka_servers, group_id=topic)
        revoked = asyncio.Event()
        own.subscribe([topic], listener=_Told(revoked))
        async with membership(own):
            await joined(absent)
            revoked.clear()
            while (
                not revoked.is_set()
            ):  # one more: all must join again, and the absent one does not
                await asyncio.to_thread(late.poll, 0.1)
            await asyncio.sleep(1)
            began = time.monotonic()
        return time.monotonic() - began

    try:
        assert asyncio.run(act()) < GOODBYE_SECONDS + 2
    finally:
        late.close()
        absent.close()
