"""How far `usage.events` reaches and how far landing has read it, as the broker knows it."""

import time

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from schemas.errors import Conflict
from schemas.topics import LANDING_GROUP, USAGE_EVENTS
from schemas.vector import Vector
from stores.kafka import KafkaAccess
from stores.kafka_trouble import unreachable
from stores.ledger import Ledger

KAFKA_SECONDS = 10
RETRY_SECONDS = 0.1
COORDINATOR_IS_STARTING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
}


class KafkaLog:
    """`schemas.ports.Log` on a broker; `epoch` is the ledger's for the live topic.

    `drained` is where the topics before it ended: they are landed as a whole.
    """

    def __init__(
        self,
        kafka: KafkaAccess,
        epoch: int,
        group: str = LANDING_GROUP,
        *,
        topic: str = USAGE_EVENTS,
        drained: Vector | None = None,
    ) -> None:
        self._kafka = kafka
        self._topic = topic
        self._drained = drained or Vector()
        self._admin = _admin(kafka)
        self._reader = _reader(kafka, group)
        self._epoch = epoch

    def partitions(self) -> int:
        """How many the live topic has.

        Raises:
            DependencyUnreachable: the broker does not answer.
        """
        try:
            return len(self._places())
        except KafkaException as failure:
            raise unreachable(self._kafka, failure.args[0]) from failure

    def ends(self, *, committed: bool = True) -> Vector:
        """End offset of each partition, up to which a committed reader can read, or any reader.

        Raises:
            DependencyUnreachable: the broker does not answer.
        """
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        try:
            newest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            asked = dict.fromkeys(self._places(), newest)
            answers = self._admin.list_offsets(
                asked, isolation_level=level, request_timeout=KAFKA_SECONDS
            )
            found = {place.partition: answer.result().offset for place, answer in answers.items()}
        except KafkaException as failure:
            raise unreachable(self._kafka, failure.args[0]) from failure
        return self._vector(found)

    def landed(self) -> Vector:
        """What landing has inserted and committed, with the topics before the live one.

        Raises:
            DependencyUnreachable: the broker does not answer.
        """
        try:
            places = self._committed(self._places())
        except KafkaException as failure:
            raise unreachable(self._kafka, failure.args[0]) from failure
        live = self._vector({place.partition: place.offset for place in places})
        return Vector({**self._drained, **live})

    def drained(self) -> Vector:
        """Where the topics before the live one ended."""
        return self._drained

    def _committed(self, places: list[TopicPartition]) -> list[TopicPartition]:
        """The group's offsets, asked again while its coordinator is just starting."""
        deadline = time.monotonic() + KAFKA_SECONDS
        while True:
            try:
                return self._reader.committed(places, KAFKA_SECONDS)
            except KafkaException as failure:
                is_starting = failure.args[0].code() in COORDINATOR_IS_STARTING
                if not is_starting or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_SECONDS)

    def _places(self) -> list[TopicPartition]:
        name = self._topic
        topic = self._admin.list_topics(name, timeout=KAFKA_SECONDS).topics[name]
        if topic.error is not None:
            raise KafkaException(topic.error)
        return [TopicPartition(name, partition) for partition in topic.partitions]

    def _vector(self, offsets: dict[int, int]) -> Vector:
        known = {(self._epoch, partition): n for partition, n in offsets.items() if n > 0}
        return Vector(known)


def live_log(books: Ledger, kafka: KafkaAccess) -> KafkaLog:
    """The log as the ledger's newest epoch has it.

    Raises:
        Conflict: no process of ours has opened that topic yet.
        DependencyUnreachable: the broker does not answer.
    """
    live = books.live_epoch()
    if live is None or live.topic_id != topic_id(kafka, live.topic):
        name = USAGE_EVENTS if live is None else live.topic
        raise Conflict(f"{name} has no epoch yet: run `countinghouse up`")
    return KafkaLog(kafka, live.number, topic=live.topic, drained=books.drained())


def group_members(kafka: KafkaAccess, group: str) -> int:
    """How many members a consumer group has; none when it never was.

    Raises:
        DependencyUnreachable: the broker does not answer.
    """
    admin = _admin(kafka)
    try:
        answers = admin.describe_consumer_groups([group], request_timeout=KAFKA_SECONDS)
        return len(answers[group].result().members)
    except KafkaException as failure:
        if failure.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return 0
        raise unreachable(kafka, failure.args[0]) from failure


def topic_id(kafka: KafkaAccess, topic: str = USAGE_EVENTS) -> str:
    """Kafka's own id of a topic: a topic that was deleted and made again has another.

    Raises:
        DependencyUnreachable: the broker does not answer, or has no such topic.
    """
    admin = _admin(kafka)  # it must outlive the answer
    try:
        wanted = TopicCollection([topic])
        answers = admin.describe_topics(wanted, request_timeout=KAFKA_SECONDS)
        return str(answers[topic].result().topic_id)
    except KafkaException as failure:
        raise unreachable(kafka, failure.args[0]) from failure


def _admin(kafka: KafkaAccess) -> AdminClient:
    return AdminClient({**kafka.confluent(), "socket.timeout.ms": 10_000, "log_level": 0})


def _reader(kafka: KafkaAccess, group: str) -> Consumer:
    """A consumer that only asks for the group's offsets and never joins it.

    The admin client has a call for that, but librdkafka 2.x ends the process in it when the group's
    coordinator is still loading (a null pointer in `rd_kafka_handle_OffsetFetch`).
    """
    return Consumer(
        {
            **kafka.confluent(),
            "group.id": group,
            # What was committed is told all the same, but `read_committed` waits for the end of a
            # transaction that is under way: until the broker ends it, if its landing was killed.
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
