"""The relay on a real broker and warehouse: killed anywhere and run again, nothing is lost."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from schemas.entitlement import Entitlements
from schemas.errors import Conflict, DependencyUnreachable
from stores.kafka import KafkaAccess
from stores.ledger import Ledger, connect, migrate
from streams.relay.relay import PublishedCounts, RelayConfig, publish_all, relay
from tests.embedded import free_ports
from tests.reading import to_the_end
from tests.unit.stores.ledger.builders import (
    CATALOG,
    NOW,
    a_draft,
    a_payment,
    a_refund,
    a_subscription,
    at,
    finalized,
)
from tests.warehouses import own_warehouse

pytestmark = pytest.mark.integration

PARTITIONS = 4
PATIENCE_SECONDS = 30
NOWHERE = "http://user:secret@127.0.0.1:1/default"


class Killed(Exception):
    """Stands for kill -9 between sending and marking."""


@dataclass(frozen=True)
class House:
    """A ledger, a broker with topics of its own, and the relay's settings for both."""

    ledger: Ledger
    config: RelayConfig

    def records(self, topic: str) -> list[tuple[str, bytes, int]]:
        """Key, value and partition of everything on a topic."""
        found = []
        for message in to_the_end({"bootstrap.servers": self.config.kafka.servers}, topic):
            key, value = message.key(), message.value()
            assert key is not None
            assert value is not None
            found.append((key.decode(), value, message.partition() or 0))
        return found

    def timelines(self) -> dict[str, list[Entitlements]]:
        """What was published of each tenant, in the topic's order."""
        found: dict[str, list[Entitlements]] = {}
        for tenant, value, _ in self.records(self.config.entitlements_topic):
            found.setdefault(tenant, []).append(msgspec.json.decode(value, type=Entitlements))
        return found

    def versions(self) -> dict[str, list[int]]:
        """The versions that were published of each tenant, in the topic's order."""
        return {name: [each.version for each in told] for name, told in self.timelines().items()}

    @contextmanager
    def running(self, config: RelayConfig | None = None) -> Iterator[None]:
        """The relay, in a thread; what it raises is raised here."""
        stop, raised = threading.Event(), list[BaseException]()

        def run() -> None:
            try:
                relay(config or self.config, stop)
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE_SECONDS)
        if raised:
            raise raised[0]


@pytest.fixture
def house(kafka_servers: str, tmp_path: Path) -> Iterator[House]:
    name = uuid4().hex
    topics = [NewTopic(f"{name}.{it}", PARTITIONS, 1) for it in ("entitlements", "billing")]
    admin = AdminClient({"bootstrap.servers": kafka_servers})
    for made in admin.create_topics(topics).values():
        made.result()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    ledger = connect(url, clock=lambda: NOW)
    ledger.apply_catalog(CATALOG, NOW)
    config = RelayConfig(
        kafka=KafkaAccess(kafka_servers),
        ledger_url=url,
        clickhouse_url=NOWHERE,
        port=free_ports(1)[0],
        interval_s=0.05,
        batch=3,
        clock=lambda: at("2026-11-25"),
        entitlements_topic=f"{name}.entitlements",
        billing_events_topic=f"{name}.billing",
    )
    yield House(ledger, config)
    ledger.close()


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[tuple[Client, str]]:
    with own_warehouse(warehouse_url) as client_and_url:
        yield client_and_url


def subscribe(house: House, *tenants: str, plan_from: str = "2026-10-01") -> None:
    house.ledger.save_subscriptions(
        [a_subscription(tenant, ("free", plan_from)) for tenant in tenants], NOW, "ada"
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 20):
        if is_so():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen")


def get(house: House, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{house.config.port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()


def test_all_is_on_the_topics_when_publishing_returns(house: House) -> None:
    subscribe(house, *(f"tenant-{n}" for n in range(10)))
    assert publish_all(house.config) == PublishedCounts(entitlements=10, billing_events=10)
    assert house.versions() == {f"tenant-{n}": [1] for n in range(10)}
    assert house.ledger.entitlements_behind() == 0
    assert publish_all(house.config) == PublishedCounts(entitlements=0, billing_events=0)


def test_timelines_hold_the_last_months_the_running_and_the_next(house: House) -> None:
    subscribe(house, "early", plan_from="2026-01-01")
    subscribe(house, "october", plan_from="2026-10-01")
    subscribe(house, "later", plan_from="2027-03-01")
    publish_all(house.config)
    begins = {
        name: [it.from_[:7] for it in told.timeline] for name, [told] in house.timelines().items()
    }
    assert begins["early"] == ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"]
    assert begins["october"] == ["2026-10", "2026-11", "2026-12"]
    assert "2027-03" in begins["later"]


def test_a_tenant_has_the_partition_that_javas_clients_choose(house: House) -> None:
    subscribe(house, "acme", "bolt")
    publish_all(house.config)
    partitions = {
        topic: {key: partition for key, _, partition in house.records(topic)}
        for topic in (house.config.entitlements_topic, house.config.billing_events_topic)
    }
    # toPositive(murmur2(key)) % 4 of Kafka's Java client
    expected = {"acme": murmur2("acme") % PARTITIONS, "bolt": murmur2("bolt") % PARTITIONS}
    assert list(partitions.values()) == [expected, expected]


def test_killed_between_sending_and_marking_it_sends_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    subscribe(house, "acme")
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "mark_entitlements_published", killed)
        with pytest.raises(Killed):
            publish_all(house.config)
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "mark_events_published", killed)
        with pytest.raises(Killed):
            publish_all(house.config)
    assert publish_all(house.config) == PublishedCounts(entitlements=0, billing_events=1)
    assert house.versions() == {"acme": [1, 1]}
    told = [
        msgspec.json.decode(value)
        for _, value, _ in house.records(house.config.billing_events_topic)
    ]
    assert [each["id"] for each in told] == ["subscription.changed:sub_acme:1"] * 2


def test_billing_events_say_what_happened(house: House) -> None:
    [invoice] = finalized(house.ledger, a_draft("acme", 4999))
    attempt = house.ledger.open_attempt(invoice, "sandbox", NOW)
    assert attempt is not None
    house.ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded"), NOW)
    house.ledger.record_reversals(attempt.id, [a_refund(attempt)], NOW)
    publish_all(house.config)
    records = house.records(house.config.billing_events_topic)
    told = [msgspec.json.decode(value) for _, value, _ in records]
    assert [(each["type"], each["tenant"], each["at"]) for each in told] == [
        ("invoice.finalized", "acme", "2026-11-01T02:00:00Z"),
        ("payment.received", "acme", "2026-11-01T02:00:00Z"),
        ("payment.reversal", "acme", "2026-11-01T02:00:00Z"),
    ]
    assert {each["data"]["number"] for each in told} == {"2026-10-000001"}
    assert {key for key, _, _ in records} == {"acme"}


def test_what_went_back_is_copied_into_the_warehouse_with_its_invoice(
    house: House, warehouse: tuple[Client, str]
) -> None:
    client, url = warehouse
    [invoice] = finalized(house.ledger, a_draft("acme", 4999))
    attempt = house.ledger.open_attempt(invoice, "sandbox", NOW)
    assert attempt is not None
    house.ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded"), NOW)
    with house.running(replace(house.config, clickhouse_url=url)):
        wait_until(lambda: house.ledger.mirror_behind() == 0)
        house.ledger.record_reversals(attempt.id, [a_refund(attempt)], NOW)
        wait_until(lambda: house.ledger.mirror_behind() == 0)
    rows = client.query("SELECT state, total_minor, reversed_minor FROM invoices").result_rows
    assert rows == [("paid", 4999, 2000)]


def test_the_running_relay_follows_changes_and_copies_into_the_warehouse(
    house: House, warehouse: tuple[Client, str]
) -> None:
    client, url = warehouse
    with house.running(replace(house.config, clickhouse_url=url)):
        subscribe(house, *(f"tenant-{n}" for n in range(7)))
        wait_until(lambda: house.ledger.entitlements_behind() == 0)
        subscribe(house, "tenant-0", plan_from="2026-10-02")
        [invoice] = finalized(house.ledger, a_draft("tenant-0", 4999, -1))
        attempt = house.ledger.open_attempt(invoice, "sandbox", NOW)
        assert attempt is not None
        house.ledger.record_attempt(attempt.id, a_payment(attempt, "failed"), NOW)
        wait_until(lambda: house.ledger.mirror_behind() == 0)
        wait_until(lambda: house.ledger.entitlements_behind() == 0)
        assert get(house, "/readyz") == (200, "ready\n")
        assert 'countinghouse_relay_failures_total{duty="mirror"} 0.0' in get(house, "/metrics")[1]
    assert house.versions()["tenant-0"][-1] == 2
    rows = client.query("SELECT number, state, total_minor FROM invoices").result_rows
    assert rows == [("2026-10-000001", "past_due", 4998)]
    rows = client.query("SELECT amount_minor FROM invoice_lines ORDER BY ordinal").result_rows
    assert rows == [(4999,), (-1,)]
    rows = client.query("SELECT count() FROM subscriptions_mirror FINAL").result_rows
    assert rows == [(7,)]


def test_a_warehouse_that_is_down_delays_no_entitlement_and_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.relay.relay_health.PATIENCE_SECONDS", 0.2)
    with house.running():
        subscribe(house, "acme")
        wait_until(lambda: house.ledger.entitlements_behind() == 0)
        wait_until(lambda: get(house, "/readyz")[0] == 503)
        problem = get(house, "/readyz")[1]
    assert problem.startswith("mirror: no progress for")
    assert "COUNTINGHOUSE_CLICKHOUSE" in problem
    assert "secret" not in problem
    assert len(house.ledger.subscriptions_behind_mirror(10)) == 1


def test_a_new_month_is_published_anew(house: House) -> None:
    subscribe(house, "acme")
    publish_all(house.config)
    publish_all(replace(house.config, clock=lambda: at("2026-12-01")))
    november, december = house.timelines()["acme"]
    assert (november.version, december.version) == (1, 2)
    assert december.timeline[-1].from_ == "2027-01-01T00:00:00Z"


def test_an_empty_topic_is_refilled(house: House) -> None:
    subscribe(house, "acme", "bolt")
    publish_all(house.config)
    house.ledger.republish_entitlements()
    publish_all(house.config)
    assert house.versions() == {"acme": [1, 1], "bolt": [1, 1]}


def test_two_relays_at_once_end_with_the_newest(house: House) -> None:
    other = replace(house.config, port=free_ports(1)[0])
    with house.running(), house.running(other):
        for day in range(1, 10):
            subscribe(house, "acme", "bolt", plan_from=f"2026-10-0{day}")
        wait_until(lambda: house.ledger.entitlements_behind() == 0)
    assert {name: told[-1] for name, told in house.versions().items()} == {"acme": 9, "bolt": 9}


def test_what_the_broker_did_not_take_stays_behind(house: House) -> None:
    subscribe(house, "acme")
    missing = replace(house.config, entitlements_topic=f"missing-{uuid4().hex}")
    with pytest.raises(DependencyUnreachable, match=r"Kafka at .* did not take missing-"):
        publish_all(missing)
    assert house.ledger.entitlements_behind() == 1


def test_a_busy_port_is_one_line(house: House) -> None:
    with house.running():
        wait_until(lambda: _is_up(house))
        with pytest.raises(Conflict, match="COUNTINGHOUSE_RELAY_PORT"):
            relay(house.config, threading.Event())


def _is_up(house: House) -> bool:
    try:
        return get(house, "/metrics")[0] == 200
    except OSError:
        return False


def murmur2(text: str) -> int:
    """Kafka's hash of a key, as its Java client computes it, made positive."""
    data, mask, factor = text.encode(), 0xFFFFFFFF, 0x5BD1E995
    value = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * factor & mask
        word = (word ^ word >> 24) * factor & mask
        value = (value * factor & mask) ^ word
    if data[whole:]:
        value = (value ^ int.from_bytes(data[whole:], "little")) * factor & mask
    value = (value ^ value >> 13) * factor & mask
    return (value ^ value >> 15) & 0x7FFFFFFF
