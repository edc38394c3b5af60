"""What is said of a call that failed: of a Kafka that is silent, and of one that answers."""

import pytest
from confluent_kafka import KafkaError

from stores import kafka_trouble
from stores.kafka import KafkaAccess
from stores.kafka_trouble import CLOSED, TOPICS, Trouble, unreachable

ACCESS = KafkaAccess("kafka:9092")
MISSING = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)


def told(monkeypatch: pytest.MonkeyPatch, found: Trouble | None, error: KafkaError) -> str:
    monkeypatch.setattr(kafka_trouble, "trouble", lambda _: found)
    return str(unreachable(ACCESS, error))


def test_a_topic_that_is_not_there_is_made_by_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    said = told(monkeypatch, None, MISSING)
    assert "does not answer" not in said
    assert "Unknown topic" in said
    assert said.endswith(TOPICS)


def test_a_kafka_that_is_silent_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    said = told(monkeypatch, Trouble("refused", CLOSED), KafkaError(KafkaError._TIMED_OUT))
    assert said == f"Kafka at kafka:9092 does not answer (refused): {CLOSED}"
