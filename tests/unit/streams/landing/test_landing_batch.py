"""A batch takes no more than it may hold, whatever its records are made of."""

from typing import Any

from confluent_kafka import KafkaError

from pipelines.admission.admission import Admission
from schemas.topics import USAGE_EVENTS
from streams.landing.landing_batch import MOST_BYTES, STRIDE, STRIDE_BYTES, Batch, Rules
from tests.landings import an_event
from tests.unit.streams.landing.test_batches import ARecord, an_array
from tests.warehouses import CATALOG

RULES = Rules(CATALOG, Admission(CATALOG, None, None, 65_536), epoch=1)


class End(ARecord):
    """What the client tells when a partition is read to its end."""

    def error(self) -> Any:
        return KafkaError(KafkaError._PARTITION_EOF)


def test_what_is_left_over_is_taken_by_the_next_batch() -> None:
    messages = [ARecord(n, an_event(str(n))) for n in range(3 * STRIDE)]
    first, second = Batch(RULES), Batch(RULES)
    left = first.take(messages, STRIDE + 1)
    assert (first.events, first.reached) == (2 * STRIDE, {(USAGE_EVENTS, 3): 2 * STRIDE})
    assert second.take(left, STRIDE + 1) == []
    assert (second.events, second.reached) == (STRIDE, {(USAGE_EVENTS, 3): 3 * STRIDE})


def test_many_elements_that_are_rejected_fill_a_batch() -> None:
    junk = an_array(*[b'{"id":"%0100d"}' % n for n in range(1_000)])
    messages = [ARecord(n, junk) for n in range(100)]
    batch = Batch(RULES)
    left = batch.take(messages, 5_000)
    most = 5_000 + STRIDE_BYTES // len(junk) * 1_000
    assert 5_000 <= len(batch.rejected) <= most
    assert len(batch.rejected) == 1_000 * (len(messages) - len(left))


def test_the_end_of_a_partition_counts_once_all_before_it_is_taken() -> None:
    messages = [*(ARecord(n, an_event(str(n))) for n in range(STRIDE)), End(STRIDE + 5, b"")]
    batch = Batch(RULES)
    left = batch.take(messages, STRIDE)
    assert (left, batch.reached) == (messages[-1:], {(USAGE_EVENTS, 3): STRIDE})
    assert batch.take(left, STRIDE + 1) == []
    assert batch.reached == {(USAGE_EVENTS, 3): STRIDE + 5}


def test_after_failures_a_batch_is_full_sooner() -> None:
    """One that takes too long to be stored or committed would take as long for ever."""
    messages = [ARecord(n, an_event(str(n))) for n in range(8 * STRIDE)]
    batch = Batch(RULES, failures=2)
    batch.take(messages, 8 * STRIDE)
    assert batch.events == 2 * STRIDE
    batch = Batch(RULES, failures=99)
    batch.take(messages, 8 * STRIDE)
    assert batch.events == STRIDE
    small = Batch(RULES, failures=99)
    assert small.take(messages[:1], 1) == []


def test_nor_does_it_hold_as_many_bytes() -> None:
    large = ARecord(0, b" " * STRIDE_BYTES)
    batch = Batch(RULES, failures=3)
    batch.take([large] * 64, 50_000)
    assert batch.size == MOST_BYTES >> 3
