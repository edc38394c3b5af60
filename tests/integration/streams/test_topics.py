"""Topics on a real broker: made as they are described, and those of earlier versions brought up."""

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from schemas.topics import COMPACTION, TopicNames
from stores.kafka import KafkaAccess
from streams.topics import ensure_topics
from tests.integration.streams.counters_bench import wait_for

pytestmark = pytest.mark.integration

OLD = {"cleanup.policy": "compact"}


def settings_of(admin: AdminClient, topic: str) -> dict[str, str]:
    """What the broker says of how a topic is compacted."""
    [answer] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in answer.result().items() if name in COMPACTION}


def test_topics_of_an_earlier_version_are_compacted_sooner_unless_somebody_chose(
    kafka_servers: str,
) -> None:
    kafka = KafkaAccess(kafka_servers)
    admin, names = AdminClient({"bootstrap.servers": kafka_servers}), TopicNames.of(70)
    slower = {"segment.ms": "7200000"}
    older = [
        NewTopic(names.state, 2, 1, config=OLD),
        NewTopic(names.entitlements, 2, 1, config=OLD | slower),
    ]
    for made in admin.create_topics(older).values():
        made.result()
    expected = [COMPACTION, COMPACTION | slower]
    for again in (False, True):
        missing = ensure_topics(kafka, partitions=2, replication=1, generation=70)
        assert names.state not in missing
        assert (names.usage in missing) != again
        wait_for(
            lambda: [settings_of(admin, t) for t in (names.state, names.entitlements)] == expected,
            "the broker to know it",
        )


def test_topics_that_are_made_are_compacted_as_described(kafka_servers: str) -> None:
    kafka = KafkaAccess(kafka_servers)
    admin, names = AdminClient({"bootstrap.servers": kafka_servers}), TopicNames.of(71)
    assert names.state in ensure_topics(kafka, partitions=2, replication=1, generation=71)
    assert settings_of(admin, names.state) == COMPACTION
