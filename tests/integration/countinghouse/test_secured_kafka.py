"""The whole way on a Kafka that wants a password over TLS, and what is said when it is not let in.

The broker is the local stack's, with a certificate of an authority of the test's own.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from countinghouse.client import UsageProducer
from countinghouse.gate import Gate
from countinghouse.settings import Settings
from countinghouse.wiring import usage_log
from dagster_project.resources import LedgerResource, LogResource
from schemas.errors import DependencyUnreachable
from schemas.topics import USAGE_EVENTS
from stores.kafka import KafkaAccess
from stores.kafka_trouble import trouble
from stores.log import topic_id
from streams.topics import partition_counts
from tests.plants import (
    PATIENCE_SECONDS,
    Plant,
    announced,
    plant_beside,
    used,
    wait_for,
    wait_until_counted,
)
from tests.secured import PASSWORD, Secured, secured_broker

pytestmark = pytest.mark.integration

TENANT = "tenant-1"
PLAIN_TEXT = {"security_protocol": "PLAINTEXT", "username": "", "password": "", "ca_file": ""}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture(scope="module")
def plant(broker: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    home = tmp_path_factory.mktemp("plant")
    with plant_beside(home, **broker.by_password()) as plant:
        yield plant


def test_usage_is_sent_counted_announced_and_landed(plant: Plant) -> None:
    access = plant.settings.kafka_access
    with (
        plant.worker("relay"),
        plant.worker("landing"),
        plant.worker("counters"),
        Gate(access.servers, config=access.confluent()) as gate,
        UsageProducer(access.servers, source="test", config=access.confluent()) as usage,
    ):
        for tokens in (600, 500):
            usage.record(TENANT, "llm.request", {"input_tokens": tokens, "output_tokens": 0})
        assert usage.flush(PATIENCE_SECONDS) == 0
        wait_until_counted(plant)
        wait_for(lambda: gate.decide(TENANT, "tokens") == "deny", "the gate to close")
        assert used(plant, "tokens") == {TENANT: 1100}
        # A transaction's partitions become readable one after another.
        wait_for(lambda: "exceeded" in [kind for kind, _ in announced(plant)], "the announcement")
        assert [kind for kind, _ in announced(plant).elements()].count("exceeded") == 1
        with plant.warehouse() as warehouse:
            landed = warehouse.query("SELECT count() FROM usage_events").result_rows
    assert landed == [(2,)]
    for log in plant.settings.home.glob("*.log"):
        assert PASSWORD not in log.read_text()


def test_dagsters_processes_get_in_by_the_same_variables(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in plant.environment.items():
        monkeypatch.setenv(name, value)
    with LedgerResource().open() as books, LogResource().open(books) as log:
        assert log.ends() == usage_log(plant.settings).ends()


def test_a_password_may_be_sent_as_it_is(plant: Plant) -> None:
    as_it_is = replace(plant.settings.kafka_access, sasl_mechanism="PLAIN")
    assert USAGE_EVENTS in partition_counts(as_it_is)
    assert USAGE_EVENTS in asyncio.run(topics_by_aiokafka(as_it_is))


def test_a_certificate_lets_in_and_without_rights_the_remedy_is_said(broker: Secured) -> None:
    by_certificate = Settings(**broker.by_certificate()).kafka_access
    assert trouble(by_certificate) is None
    assert asyncio.run(topics_by_aiokafka(by_certificate)) == set()
    with pytest.raises(DependencyUnreachable, match=r"authorization failed.*production\.md"):
        topic_id(by_certificate)


async def topics_by_aiokafka(access: KafkaAccess) -> set[str]:
    async with AIOKafkaConsumer(**access.aiokafka()) as consumer:
        return set(await consumer.topics())


def test_doctor_says_that_the_password_is_wrong(plant: Plant) -> None:
    changed = {**plant.environment, "COUNTINGHOUSE_KAFKA_PASSWORD": "another one"}
    done = replace(plant, environment=changed).command("doctor", "--json")
    (check,) = [check for check in json.loads(done.stdout) if check["name"] == "kafka"]
    assert done.returncode == 1
    assert "Authentication failed" in check["found"]
    assert "COUNTINGHOUSE_KAFKA_PASSWORD" in check["remedy"]
    assert "another one" not in done.stdout + done.stderr


def test_who_is_refused_is_not_kept_waiting(plant: Plant) -> None:
    began = time.monotonic()
    assert trouble(replace(plant.settings.kafka_access, password="wrong"), 60)
    assert time.monotonic() - began < 15


def test_a_call_that_is_refused_says_why(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.topics.KAFKA_SECONDS", 1)
    with pytest.raises(DependencyUnreachable, match="check COUNTINGHOUSE_KAFKA_USERNAME"):
        partition_counts(replace(plant.settings.kafka_access, username="nobody"))


@pytest.mark.parametrize(
    ("listener", "changes", "reason", "variable"),
    [
        ("signed", {"sasl_mechanism": "SCRAM-SHA-256"}, "supported mechanisms", "SASL_MECHANISM"),
        ("signed", {"ca_file": ""}, "certificate verify failed", "CA_FILE"),
        ("signed", PLAIN_TEXT, "", "SECURITY_PROTOCOL"),
        ("mutual", PLAIN_TEXT, "", "SECURITY_PROTOCOL"),
        ("mutual", {}, "certificate required", "CERTIFICATE_FILE"),
        # the client says which, by whether its own hello was sent before that broker hung up
        ("inside", {}, "PLAINTEXT broker listener|closed by peer", "SECURITY_PROTOCOL"),
    ],
)
def test_who_comes_otherwise_is_not_let_in(
    broker: Secured,
    plant: Plant,
    listener: str,
    changes: dict[str, Any],
    reason: str,
    variable: str,
) -> None:
    servers = getattr(broker, listener)
    found = trouble(replace(plant.settings.kafka_access, servers=servers, **changes))
    assert found is not None
    assert re.search(reason, found.reason)
    assert f"COUNTINGHOUSE_KAFKA_{variable}" in found.remedy
