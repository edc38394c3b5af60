"""What is told of notices: by receiver, what was delivered, tried again, given up, and waits."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas import metrics as listed
from streams.health.metrics import counter, gauge_family
from streams.journal.journal_reader import now_ms
from streams.notices.facts import Fact


class Waiting(Protocol):
    """A partition's facts that are not settled."""

    @property
    def waiting(self) -> int: ...
    @property
    def oldest_ms(self) -> int | None: ...


Waitings = Callable[[], Collection[Waiting]]


class NoticeMetrics(Collector):
    """Figures of all receivers of one worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._delivered = counter(registry, listed.NOTICES_DELIVERED)
        self._retried = counter(registry, listed.NOTICES_RETRIED)
        self._given_up = counter(registry, listed.NOTICES_GIVEN_UP)
        self._waiting: dict[str, Waitings] = {}
        registry.register(self)

    def watch(self, receiver: str, waiting: Waitings) -> None:
        """Also tell what waits for this receiver, asked for when the metrics are."""
        self._waiting[receiver] = waiting
        self._retried.labels(receiver)

    def delivered(self, receiver: str, fact: Fact) -> None:
        """A receiver has a fact."""
        self._delivered.labels(receiver, fact.kind).inc()

    def retried(self, receiver: str) -> None:
        """An attempt failed, another follows."""
        self._retried.labels(receiver).inc()

    def gave_up(self, receiver: str, reason: str) -> None:
        """A receiver does not get a fact."""
        self._given_up.labels(receiver, reason).inc()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """How many facts wait, and for how long the oldest one does."""
        waiting, oldest = gauge_family(listed.NOTICES_WAITING), gauge_family(listed.NOTICES_OLDEST)
        for receiver, progress in self._waiting.items():
            held = list(progress())
            announced = [one.oldest_ms for one in held if one.oldest_ms is not None]
            age_ms = max(0, now_ms() - min(announced)) if announced else 0
            waiting.add_metric([receiver], sum(one.waiting for one in held))
            oldest.add_metric([receiver], age_ms / 1000)
        return [waiting, oldest]
