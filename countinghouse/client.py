"""The producer that services use to report usage: five lines, and no request waits for Kafka.

    usage = UsageProducer("localhost:9092", source="chat-api")
    usage.record("tenant-42", "llm.request", {"input_tokens": 812, "output_tokens": 97})

Owns the way to Kafka; events that do not get there are kept in a `spool`. It needs `schemas`,
msgspec and confluent-kafka only. Make it after a fork, one for each process; threads may share it.
"""

import atexit
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from time import time_ns
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from countinghouse.spool import Spool, Undelivered
from schemas.errors import InvalidInput
from schemas.event import EARLIEST_MS, LATEST_MS, MAX_NAME
from schemas.period import format_instant, to_ms
from schemas.topics import SENT_AT_HEADER, USAGE_EVENTS

POLL_SECONDS = 0.1
FLUSH_SECONDS = 10.0
MAX_SPOOLED = 100_000
PRODUCER_CONFIG: Mapping[str, str | int | float | bool] = {
    "partitioner": "murmur2_random",  # Java's: a tenant has one partition, whoever sends
    "enable.idempotence": True,
    "compression.type": "zstd",
    "linger.ms": 20,
    "delivery.timeout.ms": 120_000,
    "delivery.report.only.error": True,
}

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder(decimal_format="number").encode


OnFailure = Callable[[Undelivered, str], None]
"""Told of each event that was not delivered, and why; usually in the producer's own thread."""


class UsageProducer:
    """Records usage events and delivers them in the background, in order for each tenant.

    Delivery failures never reach `record`: the event is kept (in `spool_path`, JSON lines, else in
    memory; `max_spooled` at most, further ones are dropped) and `on_failure` is told. Kept events
    are sent again by the next producer with the same `spool_path`, or by `resend()`. An event that
    arrives twice is counted once. `topic` has another name once it has grown (`countinghouse topics
    show`); `config` goes to librdkafka as it is.
    """

    def __init__(
        self,
        kafka_servers: str,
        *,
        source: str,
        on_failure: OnFailure | None = None,
        spool_path: Path | None = None,
        max_spooled: int = MAX_SPOOLED,
        topic: str = USAGE_EVENTS,
        config: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._config = {"bootstrap.servers": kafka_servers, **PRODUCER_CONFIG, **(config or {})}
        self._producer = Producer(self._config)
        self._topic = topic
        self._source = _name("source", source)
        self._on_failure = on_failure
        self._spool = Spool(spool_path, max_spooled)
        self._closing = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="usage-producer", daemon=True)
        self._poller.start()
        atexit.register(self.close)
        self.resend()

    def record(
        self,
        tenant: str,
        event_type: str,
        data: Mapping[str, Any],
        *,
        event_id: str | None = None,
        time: datetime | None = None,
    ) -> str:
        """Hand an event over for delivery and return its id; never waits, never fails for Kafka.

        `event_id` names the fact: with an id of your own, recording it twice counts once. `time`
        is when it happened, now unless given.

        Raises:
            InvalidInput: a name is empty or too long, or `time` has no zone or no sensible year.
        """
        sent_ms = time_ns() // 1_000_000
        event = {
            "specversion": "1.0",
            "id": _name("event_id", event_id or uuid4().hex),
            "source": self._source,
            "type": _name("event_type", event_type),
            "subject": _name("tenant", tenant),
            "time": format_instant(sent_ms if time is None else _event_ms(time)),
            "data": data,
        }
        self._send(Undelivered(tenant, sent_ms, msgspec.Raw(_encode(event))))
        return str(event["id"])

    def resend(self) -> int:
        """Hand over everything that was kept; how many events that is."""
        kept = self._spool.take()
        for event in kept:
            self._send(event)
        return len(kept)

    def flush(self, seconds: float = FLUSH_SECONDS) -> int:
        """Wait for deliveries; how many events are still on their way."""
        return self._producer.flush(seconds)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Deliver what is on its way, keep what cannot be, and stop. Closing twice is harmless."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._poller.join()
        self.flush(seconds)
        self._producer.purge()
        self._producer.poll(0)  # what was purged is reported as failed, and so it is kept
        self._spool.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, event: Undelivered) -> None:
        sent_at = str(event.sent_ms).encode()
        try:
            self._producer.produce(
                self._topic,
                bytes(event.event),
                event.tenant.encode(),
                headers=[(SENT_AT_HEADER, sent_at)],
                on_delivery=partial(self._delivered, event),
            )
        except (BufferError, KafkaException) as failure:
            self._failed(event, str(failure))

    def _delivered(self, event: Undelivered, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed(event, error.str())

    def _failed(self, event: Undelivered, why: str) -> None:
        if not self._spool.keep(event):
            why += "; dropped, the spool is full"
        _log.warning("usage of %s was not delivered: %s", event.tenant, why)
        if self._on_failure is None:
            return
        try:
            self._on_failure(event, why)
        except Exception:  # a service's mistake must stop neither its requests nor deliveries
            _log.exception("on_failure itself failed")

    def _poll(self) -> None:
        """Serve delivery reports until closing."""
        while not self._closing.is_set():
            self._producer.poll(POLL_SECONDS)


def _name(field: str, text: str) -> str:
    if not 1 <= len(text) <= MAX_NAME:
        raise InvalidInput(f"{field} {text[:40]!r} must have 1 to {MAX_NAME} characters")
    return text


def _event_ms(time: datetime) -> int:
    try:
        instant_ms = to_ms(time)
    except ValueError as problem:
        raise InvalidInput(str(problem)) from None
    if not EARLIEST_MS <= instant_ms < LATEST_MS:
        raise InvalidInput(f"time {time} is not in the years 2000 to 2199")
    return instant_ms
