"""The embedded broker as its users meet it."""

from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from countinghouse.local.jars import cache_folder, ensure_jars
from countinghouse.local.kafka import Broker, prepare
from countinghouse.settings import Settings
from tests.embedded import running_broker

pytestmark = pytest.mark.integration


def create(servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()


def produce(servers: str, topic: str, values: list[bytes], **settings: str) -> None:
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, **settings})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(10) == 0


def consume(servers: str, topic: str, count: int) -> list[bytes | str | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{topic}-reader",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    try:
        return [message.value() for message in consumer.consume(count, timeout=20)]
    finally:
        consumer.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "lz4", "zstd", "snappy"])
def test_what_was_produced_is_read_back(kafka_servers: str, codec: str) -> None:
    topic = f"embedded-{codec}"
    create(kafka_servers, topic)
    produce(kafka_servers, topic, [b"one", b"two"], **{"compression.type": codec})
    assert consume(kafka_servers, topic, 2) == [b"one", b"two"]


def test_a_transaction_commits(kafka_servers: str) -> None:
    create(kafka_servers, "embedded-transaction")
    producer = Producer({"bootstrap.servers": kafka_servers, "transactional.id": "embedded"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("embedded-transaction", b"both")
    producer.commit_transaction(20)
    assert consume(kafka_servers, "embedded-transaction", 1) == [b"both"]


def test_no_topic_comes_to_be_by_accident(kafka_servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_servers})
    metadata = admin.list_topics("never-created", timeout=10)
    error = metadata.topics["never-created"].error
    assert error is not None
    assert KafkaException(error).args[0].name() == "UNKNOWN_TOPIC_OR_PART"


def test_a_killed_broker_starts_again_with_its_data(tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        create(broker.servers, "kept")
        produce(broker.servers, "kept", [b"before"])
        broker.process.kill()
    with running_broker(tmp_path) as broker:
        assert consume(broker.servers, "kept", 1) == [b"before"]


def test_a_cluster_id_that_begins_with_a_dash_is_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countinghouse.local.kafka.uuid4", lambda: UUID(int=0xF8 << 120))
    broker = Broker.of(Settings(home=tmp_path))
    prepare(broker, ensure_jars(cache_folder(), print))
    assert "cluster.id=-" in (broker.data / "meta.properties").read_text()
