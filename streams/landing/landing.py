"""Landing: brings `usage.events` and `quota.state` into the warehouse, every event exactly once.

A batch is inserted first, then its offsets are committed together with its dead letters. Whatever
fails in between is read and inserted again, which changes nothing. While one batch is inserted the
next is read and judged, no more than one. Owns the consumer; what a batch becomes is in `batches`
and `landed_counters`.
"""

import gc
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from pipelines.admission.admission import Admission
from schemas.errors import DependencyUnreachable
from streams.health.health import serving
from streams.landing.batches import Record
from streams.landing.dead_letters import DeadLetters, NotCommitted
from streams.landing.isolation import Isolation, tells_of_a_value
from streams.landing.landing_batch import Batch, BatchUnderWay, Rules
from streams.landing.landing_config import LandingConfig
from streams.landing.landing_health import LandingHealth
from streams.landing.warehouse_sink import InsertUnderWay, WarehouseSink
from streams.stopping import asked_to_stop

FILL_SECONDS = 0.2
"""How long a batch waits to fill: the most that landing adds to an event's way when it keeps up."""

FETCH = 2_000
GLANCE_SECONDS = 0.02
"""So many messages are taken at a time; with an insert under way they are waited for so long."""

ROOM_SECONDS = 0.5
PATIENCE_SECONDS = 20
"""So long a full batch waits for the insert before it; then landing lets go of all it holds."""

STOP_SECONDS = 4
"""An insert that is under way at the end may take so long; else it is read again."""

BACKOFF_SECONDS = (0.5, 1, 2, 5, 10)
REFUSALS = 3
"""After so many refusals of a batch the refused records are looked for."""

KAFKA_SECONDS = 3
"""So long is waited for what is committed; a stop waits for it, too."""

_log = logging.getLogger(__name__)


def run(config: LandingConfig) -> None:
    """Land until SIGTERM or SIGINT; returns once everything in hand is committed."""
    stop = asked_to_stop()  # before anything that takes time
    Landing(config).run(stop)


class Landing:
    """One member of landing's consumer group."""

    def __init__(self, config: LandingConfig) -> None:
        self._config = config
        admission = Admission(
            config.catalog,
            config.max_age_ms,
            config.max_lead_ms,
            config.max_bytes,
            config.partitions,
        )
        self._rules = Rules(config.catalog, admission, config.epoch, config.usage_topic)
        self._sink = WarehouseSink(config.clickhouse_url)
        self._letters = DeadLetters(config.kafka, config.group, config.usage_topic)
        self._consumer = Consumer({**config.of_consumer(), "logger": _log})
        self._batch = Batch(self._rules)
        self._left: Sequence[Record] = ()
        self._under_way: BatchUnderWay | None = None
        self._rebalanced = False
        self._failures = 0
        self._refusals = 0
        self.health = LandingHealth(config.epoch, config.catalog_version)

    def run(self, stop: threading.Event) -> None:
        """Land until the event is set; then leave the group."""
        served = self._config.port, "COUNTINGHOUSE_LANDING_PORT", self._config.host
        with serving(self.health, *served):
            self._consumer.subscribe(
                [self._config.usage_topic, self._config.state_topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_revoke,
            )
            gc.freeze()
            gc.disable()  # a batch makes a million objects and no cycle: collecting costs a third
            try:
                while not stop.is_set():
                    self._step(stop)
                self._finish(STOP_SECONDS)
            except (NotCommitted, DependencyUnreachable, ClickHouseError) as failure:
                _log.warning("the last batch will be read again: %s", failure)
            finally:
                gc.enable()
                gc.unfreeze()
                self._consumer.close()
                self._sink.close()

    def _step(self, stop: threading.Event) -> None:
        try:
            if self._batch.is_full(self._config.batch_size):
                self._make_room(stop)
            else:
                self._read()
            if self._rebalanced:
                self._let_go()  # some of it may belong to another member by now
                self._rewind()
                return
            self._finish(0)
            if self._under_way is None and self._batch.is_due(
                self._config.batch_size, FILL_SECONDS
            ):
                self._begin()
            self.health.look(self._consumer)
        except (NotCommitted, DependencyUnreachable, ClickHouseError) as failure:
            self._retry_later(failure, stop)

    def _read(self) -> None:
        """Take the messages that are there, or come soon."""
        if not self._batch.reached:
            self._batch.began = time.monotonic()
        wait = FILL_SECONDS if self._under_way is None else GLANCE_SECONDS
        messages = self._left or cast("list[Record]", self._consumer.consume(FETCH, wait))
        if messages:
            self._left = self._batch.take(messages, self._config.batch_size)
            if self._refusals >= REFUSALS:
                self._isolate(messages[: len(messages) - len(self._left)])
        elif self._under_way is None:
            gc.collect()

    def _begin(self) -> None:
        """Insert the batch in hand beside reading the next."""
        batch = self._batch
        self._batch = Batch(self._rules, stride=batch.stride)
        began = time.monotonic()
        insert = InsertUnderWay(self._sink, batch.tables())
        self._under_way = BatchUnderWay(insert, batch.events, batch.rejected, batch.reached, began)

    def _finish(self, wait_seconds: float) -> None:
        """Commit the batch under way once it is stored; waits so long for it."""
        batch = self._under_way
        if batch is None or not batch.insert.ends_within(wait_seconds):
            return
        batch.insert.check()
        offsets = self.health.moved(batch.reached)
        if offsets:
            self._letters.commit(batch.rejected, offsets, self._consumer)
        self._under_way = None
        self._failures = self._refusals = 0
        seconds = time.monotonic() - batch.began
        self.health.landed(batch.events, batch.rejected, offsets, seconds)

    def _make_room(self, stop: threading.Event) -> None:
        """The batch in hand is full: wait for the one before, in the group however long it takes.

        The group keeps us only while we poll, so that after a while what is in hand is dropped.
        """
        pending = self._under_way
        if pending is None or pending.insert.ends_within(ROOM_SECONDS):
            return
        if time.monotonic() - pending.began < PATIENCE_SECONDS:
            return
        _log.warning("the warehouse is slow: nothing more is read until it has stored a batch")
        self._forget()
        with self._paused():
            while not (stop.is_set() or self._rebalanced or pending.insert.ends_within(1)):
                self._consumer.poll(0)  # nothing comes from paused partitions
        if not stop.is_set() and not self._rebalanced:
            self._finish(0)
            self._rewind()

    def _isolate(self, messages: Sequence[Record]) -> None:
        """Store what can be stored, and put aside the records that the warehouse refuses."""
        usage = [m for m in messages if m.error() is None and m.topic() == self._config.usage_topic]
        self._batch.usage.clear()
        self._batch.rejected += Isolation(self._insert).store(usage)

    def _insert(self, records: Sequence[Record]) -> None:
        self._sink.insert({"usage_events": self._rules.rows(records, [])})

    def _retry_later(self, failure: Exception, stop: threading.Event) -> None:
        """Wait, staying in the group, and read again what is not committed."""
        pause = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._refusals = self._refusals + 1 if tells_of_a_value(failure) else 0
        self.health.failed()
        _log.warning("landing tries again in %s s: %s", pause, failure)
        self._let_go()
        with self._paused():
            self._consumer.poll(0)  # keeps the membership
            is_over = stop.wait(pause)
        if not is_over:
            self._rewind()

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """Nothing is fetched within the block."""
        self._consumer.pause(self._consumer.assignment())
        yield
        self._consumer.resume(self._consumer.assignment())

    def _let_go(self) -> None:
        """Forget what is in hand and under way: it will be read again."""
        self._forget()
        if self._under_way is None or self._under_way.insert.ends_within(STOP_SECONDS):
            self._sink.close()
        else:
            self._sink = WarehouseSink(self._config.clickhouse_url)  # the old one is still in use
        self._under_way = None

    def _forget(self) -> None:
        self._batch, self._left = Batch(self._rules, failures=self._failures), ()

    def _rewind(self) -> None:
        """Read on from what is committed, dropping what was fetched."""
        self._rebalanced = False
        assigned = self._consumer.assignment()
        # A partition that was lost while paused comes back paused: nobody else would wake it. And
        # before anything is assigned, served while Kafka is asked: a resume that comes beside an
        # assignment may be lost, and the partition stays paused (librdkafka 5591).
        self._consumer.resume(assigned)
        try:
            committed = self._consumer.committed(assigned, KAFKA_SECONDS)
            for place in committed:
                self._look_for_lost(place)
        except KafkaException as failure:
            _log.warning(
                "Kafka does not tell what is committed: %s; if that lasts longer than a minute, "
                "restart the broker that coordinates landing's group",
                failure,
            )
            self._rebalanced = True
            return
        self.health.assigned({(p.topic, p.partition): max(p.offset, 0) for p in committed})
        self._consumer.assign([_start(place) for place in committed])

    def _look_for_lost(self, committed: TopicPartition) -> None:
        """What Kafka has deleted before it was landed is nowhere else: say so aloud."""
        if committed.error is not None:
            raise KafkaException(committed.error)
        if committed.topic != self._config.usage_topic or committed.offset < 0:
            return
        begins, _ = self._consumer.get_watermark_offsets(committed, KAFKA_SECONDS)
        if begins > committed.offset:
            self.health.lost((committed.topic, committed.partition), committed.offset, begins)
            _log.error(
                "%s[%d]: offsets %d to %d were deleted by Kafka before they were landed",
                *(committed.topic, committed.partition, committed.offset, begins - 1),
            )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalanced = True

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalanced = True


def _start(committed: TopicPartition) -> TopicPartition:
    offset = committed.offset if committed.offset >= 0 else OFFSET_BEGINNING
    return TopicPartition(committed.topic, committed.partition, offset)
