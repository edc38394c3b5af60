"""How far `usage.events` reaches and how far landing has read it, as the broker knows it."""

from collections.abc import Sequence

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.errors import DependencyUnreachable
from schemas.topics import USAGE_EVENTS
from schemas.vector import Vector

LANDING_GROUP = "countinghouse-landing"
KAFKA_SECONDS = 10


class KafkaLog:
    """`schemas.ports.Log` on a broker; `epoch` is the ledger's for the live topic."""

    def __init__(self, kafka_servers: str, epoch: int, group: str = LANDING_GROUP) -> None:
        self._servers = kafka_servers
        self._admin = _admin(kafka_servers)
        self._epoch = epoch
        self._group = group

    def ends(self) -> Vector:
        """End offset of each partition, up to which a committed reader can read.

        Raises:
            DependencyUnreachable: the broker does not answer.
        """
        try:
            newest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            asked = dict.fromkeys(self._places(), newest)
            answers = self._admin.list_offsets(
                asked,
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=KAFKA_SECONDS,
            )
            found = {place.partition: answer.result().offset for place, answer in answers.items()}
        except KafkaException as failure:
            raise _unreachable(self._servers, failure) from failure
        return self._vector(found)

    def landed(self) -> Vector:
        """What landing has inserted and committed.

        Raises:
            DependencyUnreachable: the broker does not answer.
        """
        try:
            asked = [ConsumerGroupTopicPartitions(self._group, list(self._places()))]
            answers = self._admin.list_consumer_group_offsets(
                asked, require_stable=True, request_timeout=KAFKA_SECONDS
            )
            places = answers[self._group].result().topic_partitions
        except KafkaException as failure:
            raise _unreachable(self._servers, failure) from failure
        return self._vector({place.partition: place.offset for place in places})

    def _places(self) -> Sequence[TopicPartition]:
        topic = self._admin.list_topics(USAGE_EVENTS, timeout=KAFKA_SECONDS).topics[USAGE_EVENTS]
        return [TopicPartition(USAGE_EVENTS, partition) for partition in topic.partitions]

    def _vector(self, offsets: dict[int, int]) -> Vector:
        known = {(self._epoch, partition): n for partition, n in offsets.items() if n > 0}
        return Vector(known)


def topic_id(kafka_servers: str, topic: str = USAGE_EVENTS) -> str:
    """Kafka's own id of a topic: a topic that was deleted and made again has another.

    Raises:
        DependencyUnreachable: the broker does not answer, or has no such topic.
    """
    admin = _admin(kafka_servers)  # it must outlive the answer
    try:
        wanted = TopicCollection([topic])
        answers = admin.describe_topics(wanted, request_timeout=KAFKA_SECONDS)
        return str(answers[topic].result().topic_id)
    except KafkaException as failure:
        raise _unreachable(kafka_servers, failure) from failure


def _admin(kafka_servers: str) -> AdminClient:
    return AdminClient(
        {"bootstrap.servers": kafka_servers, "socket.timeout.ms": 10_000, "log_level": 4}
    )


def _unreachable(kafka_servers: str, failure: KafkaException) -> DependencyUnreachable:
    return DependencyUnreachable(
        f"Kafka at {kafka_servers} does not answer ({failure.args[0].str()}): start the local "
        "stack with `countinghouse up`, or set COUNTINGHOUSE_KAFKA"
    )
