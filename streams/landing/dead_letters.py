"""Rejected elements on `usage.rejected`, and landing's offsets, in one Kafka transaction.

Owns the transactional producer. Its id is new in each process: what fences a zombie is the
consumer group's generation, which travels with the offsets.
"""

import logging
import threading
import uuid
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.errors import BillingError
from schemas.topics import USAGE_EVENTS, USAGE_REJECTED
from stores.kafka import KafkaAccess
from streams.landing.batches import RejectedElement

OPEN_SECONDS = 4
KAFKA_SECONDS = 3
PATIENCE_SECONDS = 6
ABORT_SECONDS = 2
"""How long is waited for each step, so that a stop takes less than ten seconds in all."""

TRANSACTION_SECONDS = 10
"""Longer than any of ours. One that a killed process leaves is ended by the broker after that, and
until then no lander is told what is committed of its partitions: they are not landed."""

MAX_DETAIL_BYTES = 1_000
MAX_ELEMENT_BYTES = 900_000
"""A record of at most a megabyte, with its key and headers, must fit into one again."""

_log = logging.getLogger(__name__)


class NotCommitted(BillingError):
    """The transaction was not committed; its batch must be read again."""


class DeadLetters:
    """Sends rejections of a topic and commits offsets, both or neither. For one thread."""

    def __init__(self, kafka: KafkaAccess, group: str, topic: str = USAGE_EVENTS) -> None:
        self._config = {
            **kafka.confluent(),
            "partitioner": "murmur2_random",
            "compression.type": "zstd",
            "linger.ms": 5,
            "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
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
        letters = [letter(element, self._topic) for element in rejected]
        try:
            producer = self._producer = self._producer or self._opened()
            attempt = _Attempt(producer, letters, offsets, consumer.consumer_group_metadata())
            attempt.finish(PATIENCE_SECONDS)
        except (KafkaException, TimeoutError) as failure:
            self._abort(is_usable=isinstance(failure, KafkaException))
            raise NotCommitted(f"Kafka did not commit landing's batch: {failure}") from failure

    def _opened(self) -> Producer:
        identity = {"transactional.id": f"{self._group}-{uuid.uuid4()}"}
        producer = Producer({**self._config, **identity})
        producer.init_transactions(OPEN_SECONDS)
        return producer

    def _abort(self, *, is_usable: bool) -> None:
        """Leave no open transaction; a producer that cannot even abort is replaced."""
        producer, self._producer = self._producer, None
        if producer is None or not is_usable:
            return
        try:
            producer.abort_transaction(ABORT_SECONDS)
            self._producer = producer
        except KafkaException as failure:
            _log.warning("a new producer follows, the old one could not abort: %s", failure)


class _Attempt:
    """One transaction in a thread of its own, as librdkafka may not come back from a call.

    An attempt that was given up never begins to commit. One that had begun is settled by the
    broker before the group's offsets are told again, so that its batch is not read twice.
    """

    def __init__(
        self, producer: Producer, letters: Sequence["Letter"], offsets: list[TopicPartition],
        group: object,
    ) -> None:  # fmt: skip
        self._producer = producer
        self._letters, self._offsets, self._group = letters, offsets, group
        self._is_given_up = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def finish(self, seconds: float) -> None:
        """Raises KafkaException, or TimeoutError: it was given up."""
        self._thread.start()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._is_given_up = True
            raise TimeoutError(f"no answer for {seconds} s")
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._producer.begin_transaction()
            for sent in self._letters:
                _send(self._producer, sent)
            self._producer.send_offsets_to_transaction(self._offsets, self._group, KAFKA_SECONDS)
            if not self._is_given_up:
                self._producer.commit_transaction(KAFKA_SECONDS)
        except Exception as failure:
            self._failure = failure


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
    return element.key, rejection.element[:MAX_ELEMENT_BYTES], encoded


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
