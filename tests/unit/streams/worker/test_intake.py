"""What a worker takes on, and what it puts off."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.health.metrics import CounterMetrics
from streams.journal.counters import CountersConfig
from streams.worker import intake as intakes
from streams.worker.intake import CHOKED_REST_S, Intake
from streams.worker.live import Batch, Live
from streams.worker.partition import CHOKED_S, Tenure
from tests.unit.streams.builders import a_config

TP = TopicPartition("usage.events", 3)


class Idle:
    """A consumer without records: what it was asked for."""

    def __init__(self) -> None:
        self.paused: list[TopicPartition] = []
        self.fetched_after_s: list[float] = []

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused += partitions

    def assignment(self) -> set[TopicPartition]:
        return set()

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        self.fetched_after_s.append(asyncio.get_running_loop().time())
        return {}


async def _deliver(_: Batch) -> None:
    """Nobody counts here."""


def an_intake(config: CountersConfig) -> tuple[Intake, Idle]:
    intake, consumer = Intake(config, _deliver, CounterMetrics()), Idle()
    intake._consumer = cast(AIOKafkaConsumer, consumer)
    return intake, consumer


@pytest.fixture
def config(tmp_path: Path) -> CountersConfig:
    return a_config(tmp_path)


def test_a_worker_that_stops_takes_no_partition_any_more(config: CountersConfig) -> None:
    async def act() -> None:
        intake, consumer = an_intake(config)
        intake.take([TP])
        assert [lag.partition for lag in intake.lags()] == [3]
        await intake.stop()
        intake.take([TP])
        assert intake.lags() == []
        assert consumer.paused == [TP]

    asyncio.run(act())


class Writing:
    """A journal in the middle of a transaction."""

    def __init__(self, config: CountersConfig, writing_s: float) -> None:
        self.shard, self.partition, self.writing_s = config.shard(3), 3, writing_s


@pytest.mark.parametrize(("writing_s", "rests"), [(0.0, False), (CHOKED_S + 1, True)])
def test_nothing_is_fetched_before_a_slow_transaction_had_the_loop(
    config: CountersConfig, writing_s: float, *, rests: bool
) -> None:
    async def act() -> None:
        intake, consumer = an_intake(config)
        tenure = Tenure(config, 3, cast(AIOKafkaConsumer, consumer), CounterMetrics())
        tenure.live = Live(cast(Any, Writing(config, writing_s)))
        intake._tenures[TP] = tenure, asyncio.create_task(asyncio.sleep(0))
        began = asyncio.get_running_loop().time()
        await intake._pump_once()
        [fetched] = consumer.fetched_after_s
        assert (fetched - began >= CHOKED_REST_S) == rests

    asyncio.run(act())


class Breaking(Idle):
    """A consumer whose connection broke under its first commit."""

    def __init__(self) -> None:
        super().__init__()
        self.committed: list[dict[TopicPartition, int]] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed.append(offsets)
        if len(self.committed) == 1:
            raise asyncio.CancelledError


def test_the_group_is_told_on_after_the_client_broke_off_a_commit(
    config: CountersConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intakes, "COMMIT_SECONDS", 0.01)

    async def act() -> None:
        intake, consumer = Intake(config, _deliver, CounterMetrics()), Breaking()
        intake._consumer = cast(AIOKafkaConsumer, consumer)
        tenure = Tenure(config, 3, cast(AIOKafkaConsumer, consumer), CounterMetrics())
        tenure.live = Live(cast(Any, Written(config)))
        intake._tenures[TP] = tenure, asyncio.create_task(asyncio.sleep(0))
        telling = asyncio.create_task(cast(Any, intake)._keep_committing(intake))
        while len(consumer.committed) < 2 and not telling.done():
            await asyncio.sleep(0.01)
        assert consumer.committed == [{TP: 7}, {TP: 7}]
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        assert telling.cancelled()

    asyncio.run(act())


class Written(Writing):
    """A journal that has written so far."""

    def __init__(self, config: CountersConfig) -> None:
        super().__init__(config, 0)
        self.written = 7
