"""How far counting and landing have come, as the broker knows it: watched, and awaited at the end.

Owns the waiting. It is bounded: when nothing moves for a while, the run goes on to its verdicts,
which then say what is missing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from countinghouse.chaos.topics import ASK_SECONDS, Ends, PositionPauses, StateReading, TopicReader
from schemas.errors import DependencyUnreachable
from schemas.topics import ENTITLEMENTS, LANDING_GROUP, QUOTA_STATE, USAGE_EVENTS
from stores.kafka import KafkaAccess

SAMPLE_SECONDS = 0.5
PATIENCE_SECONDS = 90
"""How long nothing may move before the wait is given up: three transaction timeouts."""

LANDED_TOPICS = (USAGE_EVENTS, QUOTA_STATE)


class Landed:
    """What landing has committed; of a transaction that is open, what was before it."""

    def __init__(self, kafka: KafkaAccess, partitions: int) -> None:
        self._partitions = range(partitions)
        self._consumer = Consumer(
            {
                **kafka.confluent(),
                "group.id": LANDING_GROUP,
                "isolation.level": "read_uncommitted",  # else an open transaction is waited for
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    def of(self, topic: str) -> dict[int, int]:
        """Offsets by partition; none while the broker does not tell."""
        asked = [TopicPartition(topic, n) for n in self._partitions]
        with suppress(KafkaException):
            found = self._consumer.committed(asked, ASK_SECONDS)
            told = (place for place in found if place.error is None)
            return {place.partition: max(0, place.offset) for place in told}
        return {}

    def close(self) -> None:
        """End it."""
        self._consumer.close()


class Pause:
    """The longest time (seconds) in which no partition went on, one that has not ended included."""

    def __init__(self, now: float) -> None:
        self._reached: dict[int, int] = {}
        self._moved = now
        self.longest = 0.0

    def note(self, reached: Mapping[int, int], now: float) -> None:
        """So far have partitions come by now; one of which nothing is told has not gone back."""
        self.longest = max(self.longest, now - self._moved)
        moved = {place: at for place, at in reached.items() if at > self._reached.get(place, -1)}
        if moved:
            self._reached |= moved
            self._moved = now


class Sampler:
    """Does something over and over in a thread of its own, and once more at the end."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        self._act = act
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()
        self._act()

    def _run(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            self._act()


class LandingWatch:
    """Notes the longest time in which landing committed nothing while usage was flowing."""

    def __init__(self, kafka: KafkaAccess, partitions: int) -> None:
        self._landed = Landed(kafka, partitions)
        self._pause = Pause(time.monotonic())
        self._sampler = Sampler("chaos-landing-watch", self._note)
        self.start = self._sampler.start

    def stop(self) -> int:
        """End, and tell the longest time in milliseconds."""
        self._sampler.stop()
        self._landed.close()
        return int(self._pause.longest * 1000)

    def _note(self) -> None:
        self._pause.note(self._landed.of(USAGE_EVENTS), time.monotonic())


class CountingWatch:
    """Notes the longest time in which a partition was not counted while usage was flowing."""

    def __init__(self, kafka: KafkaAccess, partitions: int) -> None:
        self._reader = TopicReader(kafka, QUOTA_STATE, partitions)
        self._pauses = PositionPauses()
        self._sampler = Sampler("chaos-counting-watch", self._note)
        self.start = self._sampler.start

    def stop(self, ended_ms: int) -> int:
        """End, and tell the longest time in milliseconds; usage was flowing until `ended_ms`."""
        self._sampler.stop()
        self._reader.close()
        return self._pauses.until(ended_ms)

    def _note(self) -> None:
        with suppress(DependencyUnreachable):  # it is read on once the broker is back
            for record in self._reader.news():
                self._pauses.take(record)


class Behind(NamedTuple):
    """What is left to do, in records."""

    counting: int
    plans: int
    landing: int

    def __str__(self) -> str:
        return f"still {self.counting} to count, {self.plans} plans, {self.landing} to land"


@dataclass
class Settling:
    """Waits until all that was sent is counted and landed."""

    kafka: KafkaAccess
    partitions: int
    on_tick: Callable[[], object]
    report: Callable[[str], None]

    def run(self) -> StateReading:
        """What `quota.state` holds once nothing is left to do, or nothing moves any more."""
        with (
            closing(TopicReader(self.kafka, QUOTA_STATE, self.partitions)) as reader,
            closing(Ends(self.kafka, self.partitions)) as ends,
            closing(Landed(self.kafka, self.partitions)) as landed,
        ):
            state = StateReading()
            last: Behind | None = None
            deadline = 0.0
            while any(behind := self._behind(reader, ends, landed, state)):
                if behind != last:
                    self.report(str(behind))
                    last, deadline = behind, time.monotonic() + PATIENCE_SECONDS
                if time.monotonic() > deadline:
                    self.report("nothing moves any more")
                    break
                self.on_tick()
                time.sleep(SAMPLE_SECONDS)
            return state

    def _behind(
        self, reader: TopicReader, ends: Ends, landed: Landed, state: StateReading
    ) -> Behind:
        with suppress(DependencyUnreachable):  # it shows as something left to count
            for record in reader.news():
                state.take(record)
        return Behind(
            _missing(ends.of(USAGE_EVENTS), state.usage),
            _missing(ends.of(ENTITLEMENTS), state.entitlements),
            sum(_missing(ends.of(topic), landed.of(topic)) for topic in LANDED_TOPICS),
        )


def _missing(ends: dict[int, int], reached: dict[int, int]) -> int:
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in ends.items())
