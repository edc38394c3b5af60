"""Makes the topics of `schemas.topics` and checks those that exist; it never changes one."""

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from schemas.errors import Conflict, DependencyUnreachable
from schemas.topics import TOPICS, Topic

KAFKA_SECONDS = 10
POLL_SECONDS = 0.05


def ensure_topics(kafka_servers: str, *, partitions: int, replication: int) -> list[str]:
    """Create the topics that are missing and check all; returns what was created.

    Raises:
        DependencyUnreachable: no broker answers.
        Conflict: a topic exists whose partitions or clock cannot be worked with.
    """
    admin = AdminClient(
        {"bootstrap.servers": kafka_servers, "socket.timeout.ms": 10_000, "log_level": 0}
    )
    try:
        missing = [topic for topic in TOPICS if topic.name not in _existing(admin)]
        _create(admin, missing, partitions, replication)
        check_partitions(_all_known(admin))
        check_clocks(_settings(admin))
    except KafkaException as failure:
        raise DependencyUnreachable(
            f"Kafka at {kafka_servers} did not make the topics ({failure.args[0].str()}): start "
            "the local stack with `countinghouse up`, or set COUNTINGHOUSE_KAFKA"
        ) from failure
    return [topic.name for topic in missing]


def check_partitions(existing: Mapping[str, int]) -> None:
    """Raise Conflict unless the per-tenant topics have equal partition counts."""
    counts = {topic.name: existing[topic.name] for topic in TOPICS if topic.co_partitioned}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        raise Conflict(
            f"these topics need equal partition counts: {listed}; delete and recreate those that "
            "differ (partitions are never added to a live topic)"
        )


def check_clocks(settings: Mapping[str, Mapping[str, str]]) -> None:
    """Raise Conflict unless the broker's clock stamps the records where we rely on it."""
    for topic in TOPICS:
        kind = settings[topic.name].get("message.timestamp.type")
        if topic.append_time and kind != "LogAppendTime":
            raise Conflict(
                f"topic {topic.name} has message.timestamp.type={kind}: set it to LogAppendTime "
                "(kafka-configs.sh --alter), the arrival time is the streams' only clock"
            )


def _create(
    admin: AdminClient, missing: Sequence[Topic], partitions: int, replication: int
) -> None:
    if not missing:
        return
    wanted = [NewTopic(t.name, partitions, replication, config=t.config()) for t in missing]
    for made in admin.create_topics(wanted, operation_timeout=KAFKA_SECONDS).values():
        try:
            made.result()
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise  # made by another process at the same time: as good


def _existing(admin: AdminClient) -> dict[str, int]:
    """Partition count of each topic."""
    topics: dict[str, TopicMetadata] = admin.list_topics(timeout=KAFKA_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}


def _all_known(admin: AdminClient) -> dict[str, int]:
    """Partition counts, once the broker knows all our topics; it learns of new ones a bit later."""
    wanted = {topic.name for topic in TOPICS}
    deadline = time.monotonic() + KAFKA_SECONDS
    while not wanted <= (existing := _existing(admin)).keys():
        if time.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        time.sleep(POLL_SECONDS)
    return existing


def _settings(admin: AdminClient) -> dict[str, dict[str, str]]:
    """The broker's settings of each of our topics."""
    wanted = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in TOPICS]
    answers = admin.describe_configs(wanted, request_timeout=KAFKA_SECONDS)
    return {resource.name: _values(answer.result()) for resource, answer in answers.items()}


def _values(entries: Mapping[str, ConfigEntry]) -> dict[str, str]:
    return {name: str(entry.value) for name, entry in entries.items()}
