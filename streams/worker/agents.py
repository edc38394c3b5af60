"""What the counters' agents do with what reaches them, and the channel it comes by."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.types import StreamT
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.notices.facts import Fact, Failed, Outcome, Receiver
from streams.notices.progress import Notice
from streams.worker.live import Batch

logger = logging.getLogger(__name__)

AGENTS = 8
"""Requests to one receiver at a time."""

FACTS_A_SECOND = 500
"""The most that one receiver is told: a tenth of a core."""


class Inlet(faust.Channel[Any]):
    """A channel with a plain queue: Faust's own are emptied whenever its consumer rebalances."""

    @property
    def queue(self) -> "ThrowableQueue[Any]":
        """The queue, made at first use."""
        if self._queue is None:
            always = FlowControlEvent(initially_suspended=False)
            self._queue = ThrowableQueue(maxsize=self.maxsize or 0, flow_control=always)
        return self._queue

    async def put(self, value: Any) -> None:
        """Hand a value to the agents that listen; waits while they have enough to do."""
        await super().put(value)


async def count(batches: StreamT[Batch]) -> None:
    """Count each batch in its partition's shard; an error there stops that partition alone."""
    async for batch in batches:
        await batch.count()


Settle = Callable[[Notice, Outcome], None]


def notifying(receiver: Receiver, settle: Settle) -> Callable[[StreamT[Notice]], Awaitable[None]]:
    """An agent that gives facts to a receiver and says what became of each.

    It rests after each: a request costs 0.2 ms of CPU, and the counting has the same core.
    """

    async def notify(notices: StreamT[Notice]) -> None:
        async for notice in notices:
            settle(notice, await _attempt(receiver, notice.fact))
            await asyncio.sleep(AGENTS / FACTS_A_SECOND)

    return notify


async def _attempt(receiver: Receiver, fact: Fact) -> Outcome:
    try:
        return await receiver.take(fact)
    except Exception as error:  # a fault of ours, which must not lose the fact
        logger.exception("%s could not be given to %s", fact.id, receiver.name)
        return Failed(repr(error))
