"""Landing: brings `usage.events` and `quota.state` into the warehouse, every event exactly once.

A batch is inserted first, then its offsets are committed together with its dead letters. Whatever
fails in between is read and inserted again, which changes nothing. Owns the consumer; what a batch
becomes is in `batches` and `landed_counters`.
"""

import gc
import logging
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import cast

from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from pipelines.admission import Admission
from schemas.catalog import Catalog
from schemas.errors import DependencyUnreachable
from schemas.topics import QUOTA_STATE, USAGE_EVENTS
from streams.batches import Deliveries, Record, judge, rejected_table, usage_table
from streams.dead_letters import DeadLetters, NotCommitted
from streams.health import serving
from streams.landed_counters import LandedCounters, counters_table, positions_table, read_counters
from streams.landing_health import LandingHealth
from streams.warehouse_sink import WarehouseSink

GROUP = "countinghouse-landing"
POLL_SECONDS = 0.2
"""How long a batch waits to fill: the most that landing adds to an event's way when it keeps up."""

BACKOFF_SECONDS = (0.5, 1, 2, 5, 10)
KAFKA_SECONDS = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LandingConfig:
    """What landing needs. `epoch` is the ledger's for the live topic; limits are milliseconds."""

    kafka_servers: str
    clickhouse_url: str
    epoch: int
    catalog_version: int
    catalog: Catalog
    max_age_ms: int | None
    max_lead_ms: int | None
    max_bytes: int
    batch_size: int = 50_000
    port: int = 18083
    group: str = GROUP


def run(config: LandingConfig) -> None:
    """Land until SIGTERM or SIGINT; returns once everything in hand is committed."""
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    Landing(config).run(stop)


class Landing:
    """One member of landing's consumer group."""

    def __init__(self, config: LandingConfig) -> None:
        self._config = config
        self._admission = Admission(
            config.catalog, config.max_age_ms, config.max_lead_ms, config.max_bytes
        )
        self._sink = WarehouseSink(config.clickhouse_url)
        self._letters = DeadLetters(config.kafka_servers, config.group)
        self._consumer = Consumer(_consumer_config(config))
        self._rebalanced = False
        self._failures = 0
        self.health = LandingHealth(config.epoch, config.catalog_version)

    def run(self, stop: threading.Event) -> None:
        """Land until the event is set; then leave the group."""
        with serving(self.health, self._config.port, "COUNTINGHOUSE_LANDING_PORT"):
            self._consumer.subscribe(
                [USAGE_EVENTS, QUOTA_STATE],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_revoke,
            )
            try:
                while not stop.is_set():
                    self._step(stop)
            finally:
                self._consumer.close()
                self._sink.close()

    def _step(self, stop: threading.Event) -> None:
        fetched = self._consumer.consume(self._config.batch_size, POLL_SECONDS)
        messages = cast("list[Record]", fetched)
        if self._rebalanced:
            self._rewind()  # some of these messages may belong to another member by now
            return
        try:
            if messages:
                self._land(messages)
            self._failures = 0
            self.health.look(self._consumer)
        except (NotCommitted, DependencyUnreachable, ClickHouseError) as failure:
            self._retry_later(failure, stop)

    def _land(self, messages: Sequence[Record]) -> None:
        """Insert a batch, then commit it."""
        records, offsets = self._sorted(messages)
        gc.disable()  # a batch makes a million objects and no cycle: collecting triples its time
        try:
            deliveries = judge(records[USAGE_EVENTS], self._admission)
            counters = read_counters(records[QUOTA_STATE], self._config.epoch)
            with self.health.inserting():
                self._insert(deliveries, counters)
        finally:
            gc.enable()
        if offsets:
            self._letters.commit(deliveries.rejected, offsets, self._consumer)
        self.health.landed(deliveries, offsets)

    def _insert(self, deliveries: Deliveries, counters: LandedCounters) -> None:
        config = self._config
        self._sink.insert(
            {
                "usage_events": usage_table(deliveries, config.catalog, config.epoch),
                "rejected": rejected_table(deliveries.rejected, USAGE_EVENTS, config.epoch),
                "counters": counters_table(counters),
                "counter_positions": positions_table(counters),
            }
        )

    def _sorted(
        self, messages: Sequence[Record]
    ) -> tuple[dict[str, list[Record]], list[TopicPartition]]:
        """Records by topic, and how far the batch reaches in each partition.

        The end of a partition is reported as an event of its own: it lies behind transaction
        markers, so that committing it says truly that there is nothing left to read.
        """
        records: dict[str, list[Record]] = {USAGE_EVENTS: [], QUOTA_STATE: []}
        reached: dict[tuple[str, int], int] = {}
        for message in messages:
            topic = message.topic()
            place = (topic, message.partition())
            if (problem := message.error()) is None:
                records[topic].append(message)
                reached[place] = message.offset() + 1
            elif problem.code() == KafkaError._PARTITION_EOF:
                reached[place] = message.offset()
            else:
                _log.warning("Kafka: %s", problem)
        return records, self.health.moved(reached)

    def _retry_later(self, failure: Exception, stop: threading.Event) -> None:
        """Wait, staying in the group, and read the batch again."""
        pause = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self.health.failed()
        _log.warning("landing tries again in %s s: %s", pause, failure)
        self._sink.close()
        assigned = self._consumer.assignment()
        self._consumer.pause(assigned)
        self._consumer.poll(0)  # keeps the membership; nothing comes from paused partitions
        if stop.wait(pause):
            return
        self._rewind()
        self._consumer.resume(self._consumer.assignment())

    def _rewind(self) -> None:
        """Read on from what is committed, dropping what was fetched."""
        self._rebalanced = False
        assigned = self._consumer.assignment()
        try:
            committed = self._consumer.committed(assigned, KAFKA_SECONDS)
        except KafkaException as failure:
            _log.warning("Kafka does not tell what is committed: %s", failure)
            self._rebalanced = True
            return
        self.health.assigned({(p.topic, p.partition): max(p.offset, 0) for p in committed})
        self._consumer.assign([_start(place) for place in committed])

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalanced = True

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalanced = True


def _start(committed: TopicPartition) -> TopicPartition:
    offset = committed.offset if committed.offset >= 0 else OFFSET_BEGINNING
    return TopicPartition(committed.topic, committed.partition, offset)


def _consumer_config(config: LandingConfig) -> dict[str, object]:
    return {
        "bootstrap.servers": config.kafka_servers,
        "group.id": config.group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 1_500,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 65_536,
        "logger": _log,
    }
