"""Rejected elements on `usage.rejected`, and landing's offsets, in one Kafka transaction.

Owns the transactional producer. Its id is new in each process: what fences a zombie is the
consumer group's generation, which travels with the offsets.
"""

import logging
import uuid
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.errors import BillingError
from schemas.topics import USAGE_EVENTS, USAGE_REJECTED
from streams.batches import RejectedElement

OPEN_SECONDS = 10
KAFKA_SECONDS = 4
ABORT_SECONDS = 2
"""How long is waited for each step, so that a stop takes less than ten seconds in all."""

MAX_KEY_BYTES = 1_000
MAX_DETAIL_BYTES = 1_000
MAX_ELEMENT_BYTES = 900_000
"""A record of at most a megabyte, with its key and headers, must fit into one again."""

_log = logging.getLogger(__name__)


class NotCommitted(BillingError):
    """The transaction was not committed; its batch must be read again."""


class DeadLetters:
    """Sends rejections of a topic and commits offsets, both or neither. For one thread."""

    def __init__(self, kafka_servers: str, group: str, topic: str = USAGE_EVENTS) -> None:
        self._config = {
            "bootstrap.servers": kafka_servers,
            "partitioner": "murmur2_random",
            "compression.type": "zstd",
            "linger.ms": 5,
            "transaction.timeout.ms": 30_000,
            "logger": _log,
        }
        self._group = group
        self._topic = topic
        self._producer: Producer | None = None

    def commit(
        self, rejected: Sequence[RejectedElement], offsets: list[TopicPartition], consumer: Consumer
    ) -> None:
        """Publish the rejections and commit the offsets in the consumer's group.

        Raises:
            NotCommitted: another generation owns the partitions, or Kafka failed.
        """
        try:
            producer = self._producer = self._producer or self._opened()
            producer.begin_transaction()
            for element in rejected:
                _send(producer, letter(element, self._topic))
            metadata = consumer.consumer_group_metadata()
            producer.send_offsets_to_transaction(offsets, metadata, KAFKA_SECONDS)
            producer.commit_transaction(KAFKA_SECONDS)
        except KafkaException as failure:
            self._abort()
            raise NotCommitted(f"Kafka did not commit landing's batch: {failure}") from failure

    def _opened(self) -> Producer:
        identity = {"transactional.id": f"{self._group}-{uuid.uuid4()}"}
        producer = Producer({**self._config, **identity})
        producer.init_transactions(OPEN_SECONDS)
        return producer

    def _abort(self) -> None:
        """Leave no open transaction; a producer that cannot even abort is replaced."""
        if self._producer is None:
            return
        try:
            self._producer.abort_transaction(ABORT_SECONDS)
        except KafkaException as failure:
            _log.warning("a new producer follows, the old one could not abort: %s", failure)
            self._producer = None


Letter = tuple[bytes | None, bytes, list[tuple[str, bytes]]]


def letter(element: RejectedElement, topic: str = USAGE_EVENTS) -> Letter:
    """Key, value and headers of a rejection; what is too long to be sent again is cut."""
    rejection = element.rejection
    headers = {
        "topic": topic,
        "partition": str(element.partition),
        "offset": str(element.offset),
        "item": str(rejection.item),
        "reason": rejection.reason,
    }
    encoded = [(name, text.encode()) for name, text in headers.items()]
    detail = rejection.detail.encode(errors="replace")[:MAX_DETAIL_BYTES]
    encoded.append(("detail", detail))
    if len(rejection.element) > MAX_ELEMENT_BYTES:
        encoded.append(("cut", str(len(rejection.element)).encode()))
    key = None if element.key is None else element.key[:MAX_KEY_BYTES]
    return key, rejection.element[:MAX_ELEMENT_BYTES], encoded


def _send(producer: Producer, sent: Letter) -> None:
    key, value, headers = sent
    while True:
        try:
            producer.produce(USAGE_REJECTED, value, key, headers=headers)  # type: ignore[arg-type]
        except BufferError:
            producer.poll(0.1)  # the queue is full: wait for deliveries
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError._QUEUE_FULL:
                raise
            producer.poll(0.1)
        else:
            return
