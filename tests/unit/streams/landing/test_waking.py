"""Landing that tries again leaves no partition asleep, whatever Kafka's client loses."""

import threading
from collections.abc import Sequence

import pytest
from confluent_kafka import TopicPartition

from streams.landing import landing
from tests.landings import a_landing


class ForgetfulConsumer:
    """Loses what is resumed right after an assignment, as librdkafka may (its issue 5591)."""

    def __init__(self, config: object) -> None:
        self.asleep: set[int] = set()
        self._is_assigning = False

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("usage.events", number) for number in range(2)]

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.asleep |= {each.partition for each in partitions}

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        if not self._is_assigning:
            self.asleep -= {each.partition for each in partitions}

    def poll(self, timeout: float) -> None:
        return None

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float
    ) -> list[TopicPartition]:
        self._is_assigning = False  # the answer comes after all that was asked before
        return [TopicPartition(each.topic, each.partition, 5) for each in partitions]

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, place.offset

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._is_assigning = True


def test_no_partition_stays_asleep_when_a_batch_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landing, "Consumer", ForgetfulConsumer)
    monkeypatch.setattr(landing, "BACKOFF_SECONDS", (0,))
    member = landing.Landing(a_landing("127.0.0.1:1", "http://127.0.0.1:1/default"))
    member._retry_later(RuntimeError("the warehouse is away"), threading.Event())
    assert isinstance(member._consumer, ForgetfulConsumer)
    assert not member._consumer.asleep
    assert member._batch.failures == 1
