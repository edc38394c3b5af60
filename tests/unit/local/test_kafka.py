"""The embedded broker's folder and command, without starting it."""

from pathlib import Path

import pytest

from countinghouse.local import kafka
from countinghouse.local.jars import KAFKA_VERSION
from countinghouse.local.kafka import Broker, command, prepare
from countinghouse.settings import Settings
from schemas.errors import BillingError


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    return Broker(tmp_path / "kafka", port=21010, controller_port=21011)


def mark(broker: Broker, version: str) -> None:
    broker.data.mkdir(parents=True)
    (broker.folder / "version").write_text(version)
    (broker.data / "meta.properties").write_text("node.id=1\n")


def test_a_formatted_folder_is_used_as_it_is(broker: Broker) -> None:
    mark(broker, KAFKA_VERSION)
    prepare(broker, [])
    text = broker.properties.read_text()
    assert "listeners=PLAINTEXT://127.0.0.1:21010,CONTROLLER://127.0.0.1:21011" in text
    assert "auto.create.topics.enable=false" in text


def test_data_of_another_version_is_refused_with_a_remedy(broker: Broker) -> None:
    mark(broker, "3.9.0")
    with pytest.raises(BillingError, match=r"written by Kafka 3\.9\.0.*delete that folder"):
        prepare(broker, [])


def test_data_of_an_unknown_kafka_is_refused(broker: Broker) -> None:
    broker.data.mkdir(parents=True)
    (broker.data / "usage.events-0").mkdir()
    with pytest.raises(BillingError, match="holds files of another Kafka"):
        prepare(broker, [])


def test_the_command_runs_a_small_heap_on_the_given_jars(broker: Broker) -> None:
    argv = command(broker, [Path("/a.jar"), Path("/b.jar")], "kafka.Kafka", "server.properties")
    assert "-Xmx512m" in argv
    assert argv[argv.index("-cp") + 1] == "/a.jar:/b.jar"
    assert argv[-2:] == ["kafka.Kafka", "server.properties"]


def test_another_java_is_used_when_named(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_JAVA_HOME", "/opt/java")
    argv = command(broker, [], "kafka.Kafka")
    assert argv[0] == "/opt/java/bin/java"
    assert kafka.UNSAFE_MEMORY_ALLOWED not in argv


def test_the_broker_lives_in_the_home_folder(tmp_path: Path) -> None:
    found = Broker.of(Settings(home=tmp_path, kafka_port=21012))
    assert (found.folder, found.port) == (tmp_path / "kafka", 21012)
