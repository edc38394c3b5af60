"""Makes the topics of `schemas.topics` and checks those that exist.

Of one that exists it changes nothing but how soon it is compacted, where nobody chose that.
"""

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from schemas.errors import Conflict
from schemas.topics import COMPACTION, TOPICS, Topic, topics_of
from stores.kafka import KafkaAccess
from stores.kafka_trouble import unreachable

KAFKA_SECONDS = 10
POLL_SECONDS = 0.05


def ensure_topics(
    kafka: KafkaAccess, *, partitions: int, replication: int, generation: int = 1
) -> list[str]:
    """Create a generation's topics that are missing and check all; returns what was created.

    `partitions` is for the first time: a topic that is made again has as many as its companions.

    Raises:
        DependencyUnreachable: no broker answers.
        Conflict: a topic exists whose partitions or clock cannot be worked with.
    """
    admin = _admin(kafka)
    topics = topics_of(generation)
    try:
        existing = _existing(admin)
        missing = [topic for topic in topics if topic.name not in existing]
        known = [existing[t.name] for t in topics if t.co_partitioned and t.name in existing]
        _create(admin, missing, max(known, default=partitions), replication)
        check_partitions(_all_known(admin, topics), topics)
        described = _described(admin, topics)
        check_clocks({name: _values(found) for name, found in described.items()}, topics)
        _set(admin, unchosen(described, topics))
    except KafkaException as failure:
        raise unreachable(kafka, failure.args[0], "did not make the topics") from failure
    return [topic.name for topic in missing]


def partition_counts(kafka: KafkaAccess) -> dict[str, int]:
    """How many partitions each topic has.

    Raises:
        DependencyUnreachable: no broker answers.
    """
    try:
        return _existing(_admin(kafka))
    except KafkaException as failure:
        raise unreachable(kafka, failure.args[0], "did not tell its topics") from failure


def seal(kafka: KafkaAccess, topic: str) -> None:
    """Let the broker refuse every further record of a topic; what is there can still be read.

    A producer that still writes to it gets an error and keeps its events.

    Raises:
        DependencyUnreachable: no broker answers.
    """
    nothing_fits = {"max.message.bytes": "1"}
    try:
        _set(_admin(kafka), {topic: nothing_fits})
    except KafkaException as failure:
        raise unreachable(kafka, failure.args[0], f"did not seal {topic}") from failure


def check_partitions(existing: Mapping[str, int], topics: Sequence[Topic] = TOPICS) -> None:
    """Raise Conflict unless the per-tenant topics have equal partition counts."""
    counts = {topic.name: existing[topic.name] for topic in topics if topic.co_partitioned}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        raise Conflict(
            f"these topics need equal partition counts: {listed}; delete and recreate those that "
            "differ (partitions are never added to a live topic)"
        )


def check_clocks(
    settings: Mapping[str, Mapping[str, str]], topics: Sequence[Topic] = TOPICS
) -> None:
    """Raise Conflict unless the broker's clock stamps the records where we rely on it."""
    for topic in topics:
        kind = settings[topic.name].get("message.timestamp.type")
        if topic.append_time and kind != "LogAppendTime":
            raise Conflict(
                f"topic {topic.name} has message.timestamp.type={kind}: set it to LogAppendTime "
                "(kafka-configs.sh --alter), the arrival time is the streams' only clock"
            )


def unchosen(
    described: Mapping[str, Mapping[str, ConfigEntry]], topics: Sequence[Topic] = TOPICS
) -> dict[str, dict[str, str]]:
    """How compacted topics of earlier versions are to be compacted; what somebody chose stays."""
    wanted = {
        topic.name: {
            name: value
            for name, value in COMPACTION.items()
            if not _is_chosen(described[topic.name][name])
        }
        for topic in topics
        if topic.kind == "compacted"
    }
    return {topic: settings for topic, settings in wanted.items() if settings}


def _is_chosen(entry: ConfigEntry) -> bool:
    # the client gives a number, whatever its types say
    return ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG


def _admin(kafka: KafkaAccess) -> AdminClient:
    return AdminClient({**kafka.confluent(), "socket.timeout.ms": 10_000, "log_level": 0})


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


def _all_known(admin: AdminClient, topics: Sequence[Topic]) -> dict[str, int]:
    """Partition counts, once the broker knows all our topics; it learns of new ones a bit later."""
    wanted = {topic.name for topic in topics}
    deadline = time.monotonic() + KAFKA_SECONDS
    while not wanted <= (existing := _existing(admin)).keys():
        if time.monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        time.sleep(POLL_SECONDS)
    return existing


def _described(admin: AdminClient, topics: Sequence[Topic]) -> dict[str, Mapping[str, ConfigEntry]]:
    """The broker's settings of each of our topics, and who made them."""
    wanted = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    answers = admin.describe_configs(wanted, request_timeout=KAFKA_SECONDS)
    return {resource.name: answer.result() for resource, answer in answers.items()}


def _set(admin: AdminClient, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Change settings of topics, given by topic and name; all others stay as they are."""
    if settings:
        wanted = [_change(topic, changed) for topic, changed in settings.items()]
        answers = admin.incremental_alter_configs(wanted, request_timeout=KAFKA_SECONDS)
        for answer in answers.values():
            answer.result()


def _change(topic: str, settings: Mapping[str, str]) -> ConfigResource:
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)


def _values(entries: Mapping[str, ConfigEntry]) -> dict[str, str]:
    return {name: str(entry.value) for name, entry in entries.items()}
