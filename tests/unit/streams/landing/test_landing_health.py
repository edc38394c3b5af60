"""When landing is ready, and how late it is: by what it saw of the log's ends."""

from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.landing.landing_health import LandingHealth, SeenEnds

PLACE = ("usage.events", 3)


class Watched:
    """A consumer's side of one partition."""

    def __init__(self, end: int, *, answers: bool = True) -> None:
        self.end = end
        self.answers = answers

    def get_watermark_offsets(self, _: TopicPartition, cached: bool) -> tuple[int, int]:
        return 0, self.end

    def list_topics(self, *_: object, timeout: float) -> None:
        if not self.answers:
            raise KafkaException("no broker")


class Clock:
    """The time, for a test to move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told(health: LandingHealth, name: str) -> float | None:
    place = {"topic": PLACE[0], "partition": str(PLACE[1])}
    return health.registry.get_sample_value(f"countinghouse_landing_{name}", place)


def test_before_it_is_in_its_group_it_is_not_ready(clock: Clock) -> None:
    health = LandingHealth(1, 1, clock)
    assert health.problem() == "not in landing's consumer group yet"
    health.assigned({})
    assert health.problem() is None


def test_what_was_lost_is_counted_once_however_often_it_is_seen(clock: Clock) -> None:
    health = LandingHealth(1, 1, clock)
    for _ in range(2):
        health.lost(PLACE, 10, 15)
    health.lost(PLACE, 20, 21)
    assert health.registry.get_sample_value("countinghouse_landing_lost_total") == 6


@pytest.mark.parametrize(
    ("end", "answers", "problem"),
    [
        (10, True, None),  # nothing to read, and a broker that says so
        (10, False, "no progress for 31 s"),
        (11, True, "no progress for 31 s"),
    ],
)
def test_ready_means_progress_or_nothing_to_do(
    clock: Clock, end: int, answers: bool, problem: str | None
) -> None:
    health = LandingHealth(1, 1, clock)
    health.assigned({PLACE: 10})
    clock.now += 31
    health.look(cast(Consumer, Watched(end, answers=answers)))
    assert health.problem() == problem


def test_a_batch_is_progress_whatever_is_left(clock: Clock) -> None:
    health = LandingHealth(1, 1, clock)
    health.assigned({PLACE: 10})
    clock.now += 31
    health.landed(5, [], [TopicPartition(*PLACE, 15)], 0.1)
    health.look(cast(Consumer, Watched(100)))
    assert health.problem() is None
    assert told(health, "lag_records") == 85


def test_lag_is_the_time_since_landing_had_all_that_was_there() -> None:
    seen = SeenEnds(now=0)
    assert seen.lag_seconds(committed=0, end=50, now=10) == 10  # a backlog: since the start
    assert seen.lag_seconds(committed=40, end=80, now=20) == 20
    assert seen.lag_seconds(committed=60, end=90, now=30) == 20  # all of second 10 is landed
    assert seen.lag_seconds(committed=85, end=100, now=40) == 20  # and of second 20
    assert seen.lag_seconds(committed=100, end=100, now=50) == 0
    assert seen.lag_seconds(committed=100, end=101, now=60) == 10


def test_steady_traffic_that_keeps_up_is_never_late() -> None:
    seen = SeenEnds(now=0)
    lags = [
        seen.lag_seconds(committed=1000 * second - 10, end=1000 * second, now=second)
        for second in range(1, 100)
    ]
    assert max(lags) <= 2


def test_where_nothing_comes_the_position_is_told_as_well(clock: Clock) -> None:
    health = LandingHealth(1, 1, clock)
    health.assigned({PLACE: 7})
    assert told(health, "position") == 7
    health.assigned({})
    assert told(health, "position") is None
