"""How far landing has come, while a transaction is open that nobody may ever end."""

import time
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.topics import USAGE_EVENTS
from schemas.vector import Vector
from stores.kafka import KafkaAccess
from stores.log import KafkaLog
from tests.landings import wait_for

pytestmark = pytest.mark.integration

SECONDS = 20


def put(producer: Producer, consumer: Consumer, offset: int) -> None:
    """Put an offset of the group into a transaction, which is not ended."""
    producer.begin_transaction()
    places = [TopicPartition(USAGE_EVENTS, 0, offset)]
    producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), SECONDS)


def test_a_killed_landings_transaction_does_not_hide_what_it_committed(servers: str) -> None:
    group = f"landing-{uuid4()}"
    consumer = Consumer({"bootstrap.servers": servers, "group.id": group})
    producer = Producer({"bootstrap.servers": servers, "transactional.id": group})
    producer.init_transactions(SECONDS)
    log = KafkaLog(KafkaAccess(servers), 1, group)
    put(producer, consumer, 5)
    producer.commit_transaction(SECONDS)
    wait_for(lambda: log.landed() == Vector({(1, 0): 5}))
    put(producer, consumer, 9)
    began = time.monotonic()
    assert log.landed() == Vector({(1, 0): 5})
    assert time.monotonic() - began < 5, "it waited for an end that may never come"
    producer.abort_transaction(SECONDS)
    consumer.close()
