"""What lies between a fetch of announcements and the agents: nothing is passed over but junk."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from streams.notices.notice_log import LogReceiver
from streams.notices.notice_metrics import NoticeMetrics
from streams.notices.notices import FETCH_FACTS, WINDOW, NoticeIntake
from streams.notices.progress import Notice, Progress
from tests.unit.streams.builders import a_config

ONE, OTHER = TopicPartition("quota.exceeded", 0), TopicPartition("quota.exceeded", 1)
DEEP = b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"


class Announced(NamedTuple):
    """A record as the consumer gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None


def a_fact(name: str) -> bytes:
    return b'{"id":"%s","kind":"quota.exceeded","tenant":"acme"}' % name.encode()


class Log:
    """A consumer of two partitions; what it gave moves its positions, whatever became of it."""

    def __init__(self, values: dict[TopicPartition, list[bytes | None]]) -> None:
        self.values = values
        self.positions = dict.fromkeys(values, 0)
        self.fails = 0

    def assignment(self) -> set[TopicPartition]:
        return set(self.values)

    def resume(self, _: TopicPartition) -> None:
        """Nothing is paused here."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.positions[tp]

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Announced]]:
        fetched = {
            tp: [
                Announced(tp.topic, tp.partition, n, 1, v)
                for n, v in enumerate(values)
                if n >= self.positions[tp]
            ]
            for tp, values in self.values.items()
        }
        self.positions = {tp: len(values) for tp, values in self.values.items()}
        if self.fails:
            self.fails -= 1
            raise RuntimeError("a record cannot be read")
        return fetched


class Hands:
    """An intake that was given all partitions of a log, and the facts that it handed out."""

    def __init__(self, folder: Path, log: Log, receive: Callable[[str], None]) -> None:
        self.told: list[str] = []
        self._receive = receive
        metrics = NoticeMetrics(CollectorRegistry())
        self.intake = NoticeIntake(
            a_config(folder), LogReceiver(), self._deliver, metrics, patience_s=60
        )
        self.intake._consumer = cast(AIOKafkaConsumer, log)
        self.held = {tp: Progress(0) for tp in log.values}
        self.intake._held.update(self.held)

    async def _deliver(self, notice: Notice) -> None:
        self._receive(notice.fact.id)
        self.told.append(notice.fact.id)
        notice.progress.settle(notice.offset)

    @property
    def settled(self) -> list[int]:
        """What may be committed of each partition."""
        return [progress.settled_to for progress in self.held.values()]


def pumped(folder: Path, log: Log, receive: Callable[[str], None] = lambda _: None) -> Hands:
    async def act() -> Hands:
        hands = Hands(folder, log, receive)
        for _ in range(3):
            with contextlib.suppress(RuntimeError, asyncio.CancelledError):
                await hands.intake._pump_once()
        return hands

    return asyncio.run(act())


@pytest.mark.parametrize("junk", [b"y", b'{"id":"\xff"}', DEEP, b"{}", None])
def test_what_is_no_announcement_is_passed_over_and_nothing_else_is(
    tmp_path: Path, junk: bytes | None
) -> None:
    log = Log({ONE: [junk, a_fact("a")], OTHER: [a_fact("b")]})
    hands = pumped(tmp_path, log)
    assert hands.told == ["a", "b"]
    assert hands.settled == [2, 1]


def test_what_a_failed_fetch_had_given_is_fetched_again(tmp_path: Path) -> None:
    log = Log({ONE: [a_fact("a")], OTHER: [a_fact("b")]})
    log.fails = 2
    hands = pumped(tmp_path, log)
    assert hands.told == ["a", "b"]
    assert hands.settled == [1, 1]


@pytest.mark.parametrize("failure", [RuntimeError(), asyncio.CancelledError()])
def test_after_a_failure_what_was_not_handed_out_is_and_nothing_twice(
    tmp_path: Path, failure: BaseException
) -> None:
    failures = [failure]

    def fail_once(name: str) -> None:
        if name == "b" and failures:
            raise failures.pop()

    log = Log({ONE: [a_fact("a"), a_fact("b")], OTHER: [a_fact("c")]})
    hands = pumped(tmp_path, log, fail_once)
    assert hands.told == ["a", "b", "c"]
    assert hands.settled == [2, 1]


class Broken(Log):
    """A consumer whose connection breaks while it commits."""

    async def commit(self, _: dict[TopicPartition, int]) -> None:
        raise asyncio.CancelledError


def test_a_commit_that_the_client_breaks_off_does_not_end_the_letting_go(tmp_path: Path) -> None:
    """It happens in a task of the client's, which would end with it."""

    async def act() -> None:
        hands = Hands(tmp_path, Broken({ONE: [a_fact("a")]}), lambda _: None)
        await hands.intake._pump_once()
        await hands.intake.release()
        assert [progress.is_held for progress in hands.held.values()] == [False]
        assert not hands.intake._held

    asyncio.run(act())


class Endless(Log):
    """A partition with ever more facts, given as many at a time as are asked for."""

    def __init__(self) -> None:
        super().__init__({ONE: []})
        self.is_paused = False

    def pause(self, _: TopicPartition) -> None:
        self.is_paused = True

    def resume(self, _: TopicPartition) -> None:
        self.is_paused = False

    async def getmany(self, **asked: Any) -> dict[TopicPartition, list[Announced]]:
        first = self.positions[ONE]
        end = first if self.is_paused else first + int(asked["max_records"])
        self.positions[ONE] = end
        return {ONE: [Announced(ONE.topic, 0, n, 1, a_fact(str(n))) for n in range(first, end)]}


def test_no_more_facts_are_held_than_the_window_has(tmp_path: Path) -> None:
    async def take(_: Notice) -> None:
        """A receiver that is down."""

    async def act() -> int:
        hands = Hands(tmp_path, Endless(), lambda _: None)
        hands.intake._deliver = take
        for _ in range(5):
            await hands.intake._pump_once()
        return hands.held[ONE].waiting

    assert WINDOW - FETCH_FACTS < asyncio.run(act()) <= WINDOW
