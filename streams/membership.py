"""Being a member of a consumer group: joining when there is a broker, leaving without a wait."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaConnectionError

from schemas.errors import DependencyUnreachable
from streams.bounded import within

_log = logging.getLogger(__name__)

RETRY_SECONDS = 1
GOODBYE_SECONDS = 2
"""In the middle of a rebalance the client would wait for members that are gone: a group does
without a word of goodbye, it is told by a missing heartbeat."""


def sticky() -> type[StickyPartitionAssignor]:
    """The strategy by which a member keeps the partitions that it has, as far as that is fair.

    It keeps them in its class, which is therefore made anew for each consumer.
    """
    return type("Sticky", (StickyPartitionAssignor,), {})


@asynccontextmanager
async def membership(consumer: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    """The consumer, started once a broker answers; at the end stopped, or left behind in time.

    Raises:
        KafkaError: the broker refuses it.
    """
    async with contextlib.AsyncExitStack() as started:
        started.push_async_callback(_say_goodbye, consumer)
        await _start(consumer)
        yield consumer


async def _start(consumer: AIOKafkaConsumer) -> None:
    while True:
        try:
            await consumer.start()
        except KafkaConnectionError as silence:
            _log.warning("%s; trying again", silence)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


async def _say_goodbye(consumer: AIOKafkaConsumer) -> None:
    try:
        await within(GOODBYE_SECONDS, consumer.stop(), "leaving a group")
    except DependencyUnreachable:
        with contextlib.suppress(DependencyUnreachable):
            await within(GOODBYE_SECONDS, _break_off(consumer), "closing connections")


async def _break_off(consumer: AIOKafkaConsumer) -> None:
    """What `stop` would have done next; there is no public way to it."""
    if consumer._fetcher is not None:  # it never came that far
        await consumer._fetcher.close()
    await consumer._client.close()
