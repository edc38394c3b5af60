"""A gate: may a tenant go on? Answered from memory, without a network call.

    gate = Gate("localhost:9092")
    if gate.decide("tenant-42", "tokens") == "deny":
        ...

Owns a copy of what `quota.state` says against tenants, and how old it is. It needs `schemas`,
`countinghouse.objections`, msgspec and confluent-kafka only. Make it after a fork, one for each
process; threads may share it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from countinghouse.objections import Objections
from schemas.errors import UNREADABLE, DependencyUnreachable
from schemas.quota import POSITION_KEY, Decision, StatePosition
from schemas.topics import QUOTA_STATE, USAGE_EVENTS

FETCH_ROWS = 10_000
POLL_SECONDS = 0.1
LOOK_SECONDS = 1.0
KAFKA_SECONDS = 5
LOAD_SECONDS = 60.0
INTERNAL = b"\x00"

_log = logging.getLogger(__name__)

Place = tuple[str, int]

_decode_position = msgspec.json.Decoder(StatePosition).decode


@dataclass(frozen=True, slots=True)
class Staleness:
    """How old the answers are.

    `seconds`: all that was committed so long ago is in memory; about a second when all is well,
    growing while the broker does not answer. `uncounted`: records of `usage.events` that the
    counters had not counted then; it grows while they are down.
    """

    seconds: float
    uncounted: int


class Gate:
    """Decisions about all tenants, kept up to date by a thread; writes nothing, joins no group.

    While `staleness().seconds` is more than you accept, it is your choice whether to go on: the
    gate still answers what was true then.
    """

    def __init__(
        self,
        kafka_servers: str,
        *,
        state_topic: str = QUOTA_STATE,
        usage_topic: str = USAGE_EVENTS,
        load_seconds: float = LOAD_SECONDS,
        config: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        """Returns when all that is committed now is in memory. `config` goes to librdkafka.

        Raises:
            DependencyUnreachable: that took longer than `load_seconds`.
        """
        common = {"bootstrap.servers": kafka_servers, "log_level": 0, **(config or {})}
        self._objections = Objections()
        self._log = _StateLog(common, state_topic, usage_topic)
        self._is_current, self._closing = threading.Event(), threading.Event()
        self._known_good_s, self._uncounted = 0.0, 0
        self._thread = threading.Thread(target=self._follow, name="gate", daemon=True)
        self._thread.start()
        if not self._is_current.wait(load_seconds):
            self.close()
            raise DependencyUnreachable(
                f"{state_topic} of Kafka at {kafka_servers} was not read within {load_seconds:g} "
                "s: check the address and what `config` signs in with, or start the local stack "
                "with `countinghouse up`"
            )

    def decide(self, tenant: str, meter: str, now_ms: int | None = None) -> Decision:
        """May the tenant use the meter? See `Objections.decide`."""
        return self._objections.decide(tenant, meter, now_ms)

    def staleness(self) -> Staleness:
        """How old the answers are now."""
        return Staleness(time.monotonic() - self._known_good_s, self._uncounted)

    def close(self) -> None:
        """Stop following; the gate goes on answering, and ages. Closing twice is harmless."""
        self._closing.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _follow(self) -> None:
        """Until closing, whatever the broker does: read, and find out how far there is to read."""
        while not self._closing.is_set():
            try:
                for message in self._log.read():
                    self._apply(message.key(), message.value())
                if self._log.look():
                    self._known_good_s, self._uncounted = (
                        self._log.known_good_s,
                        self._log.uncounted,
                    )
                    self._is_current.set()
            except KafkaException as failure:
                _log.warning("quota.state cannot be read: %s", failure)
                self._closing.wait(LOOK_SECONDS)
        self._log.close()

    def _apply(self, key: bytes | None, value: bytes | None) -> None:
        try:
            if key is not None and not key.startswith(INTERNAL):
                self._objections.apply(key, value, time.time_ns() // 1_000_000)
        except UNREADABLE as problem:
            _log.warning("%r of quota.state is no counter: %s", key, problem)


class _StateLog:
    """`quota.state` from its beginning on, and how much of it and of usage is not read yet."""

    def __init__(
        self, common: Mapping[str, str | int | float | bool], state: str, usage: str
    ) -> None:
        self._state, self._usage = state, usage
        self._admin = AdminClient(dict(common))
        self._consumer = Consumer(
            {
                **common,
                "group.id": "countinghouse-gate",  # librdkafka wants one; it is never joined
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        self._places: list[Place] = []
        self._reached: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        self._asked: dict[Place, Future[Any]] = {}
        self._asked_s = 0.0
        self.known_good_s = 0.0
        self.uncounted = 0

    def read(self) -> list[Message]:
        """Rows that came; waits a moment for the first one."""
        if not self._places:
            self._assign()
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        return [it for it in (first, *self._consumer.consume(FETCH_ROWS, 0)) if self._note(it)]

    def _assign(self) -> None:
        topics = self._consumer.list_topics(timeout=KAFKA_SECONDS).topics
        if self._state not in topics or self._usage not in topics:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, self._state))
        partitions = list(topics[self._state].partitions)
        self._consumer.assign(
            [TopicPartition(self._state, p, OFFSET_BEGINNING) for p in partitions]
        )
        self._reached = dict.fromkeys(partitions, 0)
        self._places = [(t, p) for t in (self._state, self._usage) for p in topics[t].partitions]

    def _note(self, message: Message) -> bool:
        """Take note of how far the log was read; is it a record? The end behind a transaction's
        marker is told as an event of its own."""
        partition, offset = message.partition() or 0, message.offset() or 0
        if (error := message.error()) is None:
            self._reached[partition] = offset + 1
            if message.key() == POSITION_KEY and (value := message.value()):
                with contextlib.suppress(*UNREADABLE):  # a later version's
                    self._counted[partition] = _decode_position(value).usage
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self._reached[partition] = offset
        return False

    def look(self) -> bool:
        """Is all read that was there at the last look? Then `known_good_s` is that moment."""
        if not self._asked:
            if self._places and time.monotonic() > self._asked_s + LOOK_SECONDS:
                self._ask()
            return False
        if not all(answer.done() for answer in self._asked.values()):
            return False
        try:
            ends = {place: answer.result().offset for place, answer in self._asked.items()}
        except KafkaException:
            self._asked = {}
            raise
        if any(ends[self._state, p] > reached for p, reached in self._reached.items()):
            return False
        self.known_good_s, self._asked = self._asked_s, {}
        self.uncounted = sum(
            max(0, end - self._counted.get(partition, 0))
            for (topic, partition), end in ends.items()
            if topic == self._usage
        )
        return True

    def _ask(self) -> None:
        self._asked_s = time.monotonic()
        newest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = self._admin.list_offsets(
            {TopicPartition(*place): newest for place in self._places},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=KAFKA_SECONDS,
        )
        self._asked = {(place.topic, place.partition): it for place, it in asked.items()}

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
