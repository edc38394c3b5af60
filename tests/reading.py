"""A topic of a real broker, read to its end."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

PATIENCE_SECONDS = 60


def to_the_end(kafka: Mapping[str, Any], topic: str) -> Iterator[Message]:
    """What is committed on a topic now, of each partition in order; `kafka` says where.

    An end that a transaction's marker moves is told once more, so that each partition's counts.
    """
    group = f"countinghouse-test-{uuid4()}"  # one that a broker with rules lets in
    own = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer({**kafka, **own, "isolation.level": "read_committed"})
    unfinished = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in unfinished])
    while unfinished:
        message = consumer.poll(PATIENCE_SECONDS)
        assert message is not None, f"{topic} cannot be read to its end"
        if (problem := message.error()) is None:
            yield message
            continue
        assert problem.code() == KafkaError._PARTITION_EOF, problem
        unfinished.discard(message.partition() or 0)
    consumer.close()
