"""What the counters' agents do with what reaches them, and the channel it comes by."""

import logging
from typing import Any

import faust
from faust.types import StreamT
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from schemas.quota import QuotaExceeded
from streams.partition import Batch

logger = logging.getLogger(__name__)


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
        batch.count()


async def notice(quotas: StreamT[QuotaExceeded]) -> None:
    """Write a line for each hard limit that was reached."""
    async for quota in quotas:
        logger.info(
            "hard limit reached tenant=%s meter=%s window=%s limit=%s used=%s cause=%s/%s",
            quota.tenant,
            quota.meter,
            quota.window.start,
            quota.limit,
            quota.used,
            quota.cause.source,
            quota.cause.id,
        )
