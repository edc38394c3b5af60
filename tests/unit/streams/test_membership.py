"""A consumer that leaves its group does not wait for members that are somewhere else."""

import asyncio
import time
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from streams import membership as module
from streams.membership import membership


class Part:
    """Something of a consumer that is closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


class InRebalance:
    """A consumer that stops as aiokafka's does: it waits until the others have joined again."""

    def __init__(self, joined: asyncio.Event) -> None:
        self._joined = joined
        self._fetcher, self._client = Part(), Part()
        self.is_stopped = False

    async def start(self) -> None:
        """It is there already."""

    async def stop(self) -> None:
        await self._joined.wait()
        self.is_stopped = True


async def left(consumer: InRebalance) -> float:
    began = time.monotonic()
    async with membership(cast(AIOKafkaConsumer, cast(Any, consumer))):
        pass
    return time.monotonic() - began


def test_it_leaves_a_rebalance_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOODBYE_SECONDS", 0.1)

    async def act() -> None:
        consumer = InRebalance(asyncio.Event())
        assert await asyncio.wait_for(left(consumer), 30) < 10
        assert not consumer.is_stopped
        assert consumer._fetcher.is_closed
        assert consumer._client.is_closed

    asyncio.run(act())


def test_where_nobody_is_waited_for_it_says_goodbye() -> None:
    async def act() -> None:
        joined = asyncio.Event()
        joined.set()
        consumer = InRebalance(joined)
        await asyncio.wait_for(left(consumer), 30)
        assert consumer.is_stopped
        assert not consumer._client.is_closed

    asyncio.run(act())


def test_it_waits_for_a_broker_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)

    class Waiting(InRebalance):
        tries = 0

        async def start(self) -> None:
            self.tries += 1
            if self.tries < 3:
                raise KafkaConnectionError("no broker")

    async def act() -> None:
        joined = asyncio.Event()
        joined.set()
        consumer = Waiting(joined)
        await left(consumer)
        assert consumer.tries == 3

    asyncio.run(act())
