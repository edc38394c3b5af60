"""A topic's producer that takes nothing any more is followed by another."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas.errors import DependencyUnreachable
from stores import kafka_trouble
from stores.kafka import KafkaAccess
from streams.relay import relay_duties
from streams.relay.relay_duties import Outlet

LOST = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, fatal=True)
OVER = KafkaError(KafkaError._FATAL)
LATE = KafkaError(KafkaError._MSG_TIMED_OUT)


class Broken:
    """A producer with one error, told of each record or raised at once."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    def produce(self, *_: object, on_delivery: Callable[[KafkaError | None, None], None]) -> None:
        if self._error is OVER:
            raise KafkaException(self._error)
        on_delivery(self._error, None)

    def flush(self) -> None:
        """All is told already."""


class Well(Broken):
    """A producer that delivers."""

    def __init__(self) -> None:
        """No error."""

    def produce(self, *_: object, on_delivery: Callable[[KafkaError | None, None], None]) -> None:
        on_delivery(None, None)


@pytest.mark.parametrize(("error", "goes_on"), [(LOST, True), (OVER, True), (LATE, False)])
def test_after_an_error_for_ever_a_new_producer_goes_on(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError, *, goes_on: bool
) -> None:
    made: list[Any] = [Broken(error), Well()]
    monkeypatch.setattr(relay_duties, "Producer", lambda _: made.pop(0))
    monkeypatch.setattr(kafka_trouble, "trouble", lambda _: None)
    outlet = Outlet(KafkaAccess("kafka:9092"), "entitlements")
    with pytest.raises(DependencyUnreachable):
        outlet.send([("acme", b"{}")]).check()
    assert bool(outlet.send([("acme", b"{}")]).acknowledged) == goes_on
