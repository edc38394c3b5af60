"""What landing tells of itself; `streams.health.health` serves it.

Ready means progress: offsets moved lately, or there is nothing to read.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client import CollectorRegistry

from schemas import metrics as listed
from schemas.topics import USAGE_EVENTS
from streams.health.metrics import counter, gauge, histogram
from streams.landing.batches import RejectedElement

PATIENCE_SECONDS = 30
"""Without progress for so long, landing is not ready."""

LOOK_SECONDS = 1

Place = tuple[str, int]
Monotonic = Callable[[], float]


class LandingHealth:
    """Landing's positions and figures. Written by landing's thread, read by the server's."""

    def __init__(self, epoch: int, catalog_version: int, clock: Monotonic = time.monotonic) -> None:
        self.registry = registry = CollectorRegistry()
        self._events = counter(registry, listed.LANDED)
        self._rows = histogram(registry, listed.BATCH_ROWS)
        self._seconds = histogram(registry, listed.BATCH_SECONDS)
        self._retries = counter(registry, listed.LANDING_RETRIES)
        self._lost = counter(registry, listed.LANDING_LOST)
        self._rejected = counter(registry, listed.LANDING_REJECTED)
        self._position = gauge(registry, listed.LANDING_POSITION)
        self._lag = gauge(registry, listed.LANDING_LAG)
        self._lag_seconds = gauge(registry, listed.LANDING_LAG_SECONDS)
        gauge(registry, listed.LANDING_EPOCH).set(epoch)
        gauge(registry, listed.LANDING_CATALOG).set(catalog_version)
        self._now = clock
        self._has_joined = False
        self._told_lost: set[tuple[Place, int]] = set()
        self._committed: dict[Place, int] = {}
        self._seen: dict[Place, SeenEnds] = {}
        self._progressed = self._looked = clock()

    def assigned(self, committed: Mapping[Place, int]) -> None:
        """Landing reads these partitions from these offsets on; none is a member's lot, too."""
        self._has_joined = True
        self._committed = dict(committed)
        now = self._now()
        self._seen = {place: self._seen.get(place) or SeenEnds(now) for place in committed}
        for by_place in (self._lag, self._lag_seconds, self._position):
            by_place.clear()
        for place, offset in committed.items():  # where nothing comes there is no batch to tell it
            self._position.labels(*place).set(offset)

    def moved(self, reached: Mapping[Place, int]) -> list[TopicPartition]:
        """What of a batch's reach is not committed yet."""
        news = [(place, n) for place, n in reached.items() if n > self._committed.get(place, 0)]
        return [TopicPartition(topic, partition, n) for (topic, partition), n in news]

    def landed(
        self,
        events: int,
        rejected: Sequence[RejectedElement],
        offsets: list[TopicPartition],
        seconds: float,
    ) -> None:
        """A batch is committed; building and inserting it took so long."""
        self._progressed = self._now()
        self._seconds.observe(seconds)
        self._rows.observe(events)
        self._events.inc(events)
        for reason, count in Counter(one.rejection.reason for one in rejected).items():
            self._rejected.labels(reason).inc(count)
        for place in offsets:
            self._committed[place.topic, place.partition] = place.offset
            self._position.labels(place.topic, place.partition).set(place.offset)

    def failed(self) -> None:
        """A batch will be read again."""
        self._retries.inc()

    def lost(self, place: Place, committed: int, begins: int) -> None:
        """What lies between was deleted before it was landed; it is told of at each start."""
        if (place, committed) not in self._told_lost:
            self._told_lost.add((place, committed))
            self._lost.inc(begins - committed)

    def look(self, consumer: Consumer) -> None:
        """Every second: how much is there to read? Nothing, and a broker that says so, is well."""
        if self._now() - self._looked < LOOK_SECONDS:
            return
        self._looked = self._now()
        lag = 0
        for place, committed in list(self._committed.items()):
            _, end = consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            behind = max(end - committed, 0)
            self._lag.labels(*place).set(behind)
            seconds = self._seen[place].lag_seconds(committed, end, self._looked)
            self._lag_seconds.labels(*place).set(seconds)
            lag += behind
        if lag == 0 and _answers(consumer):
            self._progressed = self._now()

    def problem(self) -> str | None:
        """Why landing is not ready, or None."""
        if not self._has_joined:
            return "not in landing's consumer group yet"
        idle = self._now() - self._progressed
        return f"no progress for {idle:.0f} s" if idle > PATIENCE_SECONDS else None


class SeenEnds:
    """Where a partition's end was seen, and when, back to the last end that was reached."""

    def __init__(self, now: float) -> None:
        self._reached = now
        self._ends: deque[tuple[int, float]] = deque(maxlen=3600)

    def lag_seconds(self, committed: int, end: int, now: float) -> float:
        """Time since all that was there then is committed; 0 when nothing is left."""
        self._ends.append((end, now))
        while self._ends and self._ends[0][0] <= committed:
            _, self._reached = self._ends.popleft()
        return now - self._reached if self._ends else 0.0


def _answers(consumer: Consumer) -> bool:
    try:
        consumer.list_topics(USAGE_EVENTS, timeout=1)
    except KafkaException:
        return False
    return True
