"""What the relay tells of itself; `streams.health.health` serves it.

Ready means that every duty lately moved something or found nothing to move.
"""

import time
from functools import partial

from prometheus_client import CollectorRegistry

from schemas import metrics as listed
from streams.health.metrics import counter, gauge

PATIENCE_SECONDS = 5
"""Without progress for so long, the relay is not ready."""


class RelayHealth:
    """When each duty last made progress. Written by the duties' threads, read by the server's."""

    def __init__(self, *duties: str) -> None:
        self.registry = registry = CollectorRegistry()
        self._progressed = dict.fromkeys(duties, time.monotonic())
        self._failures: dict[str, str] = {}
        self._sent = counter(registry, listed.RELAY_SENT)
        self._failed = counter(registry, listed.RELAY_FAILURES)
        idle = gauge(registry, listed.RELAY_IDLE)
        for duty in duties:
            idle.labels(duty).set_function(partial(self._idle, duty))
            self._sent.labels(duty)
            self._failed.labels(duty)

    def progressed(self, duty: str, count: int) -> None:
        """A round sent so much, or found nothing to send."""
        self._progressed[duty] = time.monotonic()
        self._sent.labels(duty).inc(count)
        self._failures.pop(duty, None)

    def failed(self, duty: str, reason: str) -> bool:
        """A round failed; is that news?"""
        self._failed.labels(duty).inc()
        is_news = self._failures.get(duty) != reason
        self._failures[duty] = reason
        return is_news

    def problem(self) -> str | None:
        """Why the relay is not ready, or None."""
        late = {duty: self._idle(duty) for duty in self._progressed}
        told = [
            f"{duty}: no progress for {seconds:.0f} s {self._failures.get(duty, '')}".strip()
            for duty, seconds in late.items()
            if seconds > PATIENCE_SECONDS
        ]
        return "; ".join(told) or None

    def _idle(self, duty: str) -> float:
        return time.monotonic() - self._progressed[duty]
