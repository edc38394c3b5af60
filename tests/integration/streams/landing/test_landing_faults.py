"""Landing whose warehouse is away or hangs, whose members come and go, die or are stopped."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from schemas.topics import USAGE_EVENTS
from schemas.vector import Vector
from stores.warehouse.client import connect, migrate
from streams.landing.landing import Landing
from streams.landing.landing_config import LandingConfig
from tests.embedded import (
    FrontProcess,
    free_ports,
    running,
    running_front,
    wait_until,
)
from tests.landings import (
    a_landing,
    an_event,
    dead_letters,
    land_all,
    landing,
    landing_process,
    send,
    tokens,
    usage_log,
    wait_for,
    wait_landed,
)

pytestmark = pytest.mark.integration


@contextmanager
def front_on(home: Path, port: int) -> Iterator[str]:
    """A warehouse front on this port; its URL."""
    environment = {"COUNTINGHOUSE_HOME": str(home), "COUNTINGHOUSE_WAREHOUSE_PORT": str(port)}
    log = home / "front.log"
    with running("countinghouse.local.front", environment, log) as process:
        wait_until(lambda: (home / "warehouse.token").exists() and listens(port), process, log)
        token = (home / "warehouse.token").read_text().strip()
        yield f"http://countinghouse:{token}@127.0.0.1:{port}/default"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_without_a_warehouse_nothing_is_committed_and_later_everything_lands(
    servers: str, tmp_path: Path, source: str
) -> None:
    port = free_ports(1)[0]
    with front_on(tmp_path, port) as url, connect(url) as client:
        migrate(client)
    config = a_landing(servers, url)
    send(servers, *((b"a", an_event(str(n), source=source)) for n in range(50)))
    log = usage_log(config)
    running = Landing(config)
    stop = threading.Event()
    thread = threading.Thread(target=running.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: retries(running) >= 2)
        assert log.landed() == Vector()
        with front_on(tmp_path, port), connect(url) as client:
            wait_landed(config)
            assert len(tokens(client, source)) == 50
    finally:
        stop.set()
        thread.join()


@contextmanager
def frozen(front: FrontProcess) -> Iterator[None]:
    """The front neither answers nor hangs up within the block."""
    front.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        front.process.send_signal(signal.SIGCONT)


def test_a_warehouse_that_hangs_holds_landing_back_and_nothing_is_lost(
    servers: str,
    tmp_path: Path,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("streams.landing.landing.PATIENCE_SECONDS", 1)
    sent: list[str] = []

    def is_slow() -> bool:
        """Send more than a batch each time: one that arrives whole would fill no second one."""
        ids = [str(n) for n in range(len(sent), len(sent) + 60)]
        send(servers, *((b"a", an_event(each, source=source)) for each in ids))
        sent.extend(ids)
        return "the warehouse is slow" in caplog.text

    with running_front(tmp_path) as front, connect(front.url) as client:
        migrate(client)
        config = a_landing(servers, front.url, batch_size=50)
        log = usage_log(config)
        with landing(config):
            wait_landed(config)
            with frozen(front):
                wait_for(is_slow)
                assert not log.landed().covers(log.ends())
            wait_landed(config)
        assert len(tokens(client, source)) == len(sent)


def test_a_warehouse_that_hangs_does_not_keep_landing_from_stopping(
    servers: str, tmp_path: Path, source: str
) -> None:
    with running_front(tmp_path) as front, connect(front.url) as client:
        migrate(client)
        config = a_landing(servers, front.url)
        with landing_process(config) as process:
            wait_landed(config)
            with frozen(front):
                send(servers, (b"a", an_event("x", source=source)))
                time.sleep(1)  # lets the insert begin; without it the test proves less, not wrong
                began = time.monotonic()
                process.terminate()
                assert process.wait(20) == 0
                assert time.monotonic() - began < 10
        land_all(config)
        assert set(tokens(client, source)) == {"x"}


def retries(running: Landing) -> float:
    name = "countinghouse_landing_retries_total"
    return running.health.registry.get_sample_value(name) or 0


def partition_counts(config: LandingConfig) -> list[int]:
    """The members' shares of the partitions, by Kafka's group coordinator."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": config.kafka.servers, "log_level": 0})
    group = admin.describe_consumer_groups([config.group])[config.group].result()
    return sorted(
        sum(place.topic == USAGE_EVENTS for place in member.assignment.topic_partitions)
        for member in group.members
    )


def test_a_second_member_takes_its_share_and_nothing_lands_or_is_rejected_twice(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    config = a_landing(servers, url, batch_size=300)
    second = a_landing(servers, url, batch_size=300, group=config.group)
    events = [(f"t{n % 9}".encode(), an_event(str(n), f"t{n % 9}", source)) for n in range(6000)]
    events += [(b"a", an_event("bad", source=source, time=f"never {n}")) for n in range(200)]
    with landing(config):
        send(servers, *events[:3000])
        with landing(second):
            send(servers, *events[3000:])
            wait_landed(config)
            wait_for(lambda: partition_counts(config) == [1, 2])
        send(servers, (b"a", an_event("last", source=source)))
        wait_landed(config)
    assert len(tokens(client, source)) == 6001
    assert len(dead_letters(servers, source)) == 200


def test_kill_9_loses_nothing_and_sends_no_dead_letter_twice(
    servers: str, warehouse: tuple[Client, str], source: str
) -> None:
    client, url = warehouse
    config = a_landing(servers, url, batch_size=200)
    log = usage_log(config)
    events = [(f"t{n % 9}".encode(), an_event(str(n), f"t{n % 9}", source)) for n in range(8000)]
    bad = [(b"a", an_event("bad", source=source, time=f"never {n}")) for n in range(400)]
    mixed = [record for n, event in enumerate(events) for record in (event, *bad[n::8000])]
    send(servers, *mixed)
    for _ in range(2):
        before = log.landed()
        with landing_process(config) as process:
            wait_for(lambda before=before: log.landed() != before)  # type: ignore[misc]
            process.kill()
    assert not log.landed().covers(log.ends()), "it was killed in the middle"
    land_all(config)
    assert len(tokens(client, source)) == 8000
    assert len(dead_letters(servers, source)) == 400


def test_sigterm_stops_within_five_seconds(servers: str, warehouse: tuple[Client, str]) -> None:
    _, url = warehouse
    config = a_landing(servers, url)
    with landing_process(config) as process:
        wait_landed(config)
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5
