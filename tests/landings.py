"""Landing in a thread or a process of a test's own, and what it wrote to Kafka."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer

from countinghouse.client import PRODUCER_CONFIG
from schemas.topics import USAGE_EVENTS, USAGE_REJECTED
from stores.kafka import KafkaAccess
from stores.log import KafkaLog
from streams.landing.landing import Landing, run
from streams.landing.landing_config import LandingConfig
from tests.embedded import free_ports
from tests.reading import to_the_end
from tests.warehouses import CATALOG

PATIENCE_SECONDS = 60
PARTITIONS = 3


def a_landing(kafka_servers: str, warehouse_url: str, **changes: Any) -> LandingConfig:
    """Landing's configuration, with a group of its own: it reads the topics from the beginning."""
    config: dict[str, Any] = {
        "kafka": KafkaAccess(kafka_servers),
        "clickhouse_url": warehouse_url,
        "epoch": 1,
        "catalog_version": 1,
        "catalog": CATALOG,
        "partitions": PARTITIONS,
        "max_age_ms": None,
        "max_lead_ms": None,
        "max_bytes": 65_536,
        "port": free_ports(1)[0],
        "group": f"landing-{uuid4()}",
    }
    return LandingConfig(**{**config, **changes})


def usage_log(config: LandingConfig) -> KafkaLog:
    """The log as this landing's group has read it."""
    return KafkaLog(config.kafka, config.epoch, config.group)


@contextmanager
def landing(config: LandingConfig) -> Iterator[None]:
    """Landing in a thread for the block."""
    stop = threading.Event()
    thread = threading.Thread(target=Landing(config).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def land_all(config: LandingConfig) -> None:
    """Land until nothing is left to read."""
    with landing(config):
        wait_landed(config)


def wait_landed(config: LandingConfig) -> None:
    """Return when landing has committed the log's end."""
    log = usage_log(config)
    wait_for(lambda: log.landed().covers(log.ends()))


def wait_for(reached: Callable[[], bool]) -> None:
    """Return when the condition holds; fail when it does not come true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "not reached"
        time.sleep(0.05)


@contextmanager
def landing_process(config: LandingConfig) -> Iterator["subprocess.Popen[bytes]"]:
    """Landing in a process for the block; SIGTERM at its end unless it is dead by then."""
    plain = {name: value for name, value in asdict(config).items() if name != "catalog"}
    argv = [sys.executable, "-m", "tests.landings", json.dumps(plain)]
    process = subprocess.Popen(argv, cwd=Path(__file__).parent.parent, env={**os.environ})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def an_event(event_id: str, tenant: str = "a", source: str = "test", **changes: Any) -> bytes:
    """An event's JSON; `changes` replace attributes, None leaves one out."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": "llm.request",
        "subject": tenant,
        "time": "2026-10-10T00:00:00Z",
        "data": {"model": "m", "input_tokens": 2, "output_tokens": 1},
        **changes,
    }
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def send(kafka_servers: str, *records: tuple[bytes | None, bytes | None]) -> None:
    """Put records (key, value) onto `usage.events`."""
    producer = Producer({**PRODUCER_CONFIG, "bootstrap.servers": kafka_servers})
    for key, value in records:
        producer.produce(USAGE_EVENTS, value, key)
        producer.poll(0)
    assert producer.flush(PATIENCE_SECONDS) == 0


def dead_letters(kafka_servers: str, source: str) -> list[tuple[bytes, dict[str, str]]]:
    """What a committed reader finds on `usage.rejected` that names the source."""
    found = []
    for message in to_the_end({"bootstrap.servers": kafka_servers}, USAGE_REJECTED):
        value = message.value() or b""
        sent = cast("list[tuple[str, bytes]]", message.headers() or [])
        headers = {name: text.decode() for name, text in sent}
        if source.encode() in value or source.encode() in (message.key() or b""):
            found.append((value, headers))
    return found


def landed(client: Client, source: str) -> list[tuple[object, ...]]:
    """All that is stored of a source's events."""
    sql = (
        "SELECT * FROM metered_usage FINAL WHERE source = {source:String} "
        "ORDER BY tenant, id, meter"
    )
    return [tuple(row) for row in client.query(sql, {"source": source}).result_rows]


def tokens(client: Client, source: str) -> dict[str, int]:
    """The value of `tokens` by event id."""
    sql = (
        "SELECT id, value FROM metered_usage FINAL "
        "WHERE source = {source:String} AND meter = 'tokens'"
    )
    rows: Any = client.query(sql, {"source": source}).result_rows
    return dict(rows)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    told["kafka"] = KafkaAccess(**told["kafka"])
    run(LandingConfig(**told, catalog=CATALOG))
