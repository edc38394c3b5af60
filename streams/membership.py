"""Being a member of a consumer group, and leaving it without waiting for the others."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from schemas.errors import DependencyUnreachable
from streams.bounded import within

GOODBYE_SECONDS = 2
"""In the middle of a rebalance the client would wait for members that are gone: a group does
without a word of goodbye, it is told by a missing heartbeat."""


@asynccontextmanager
async def membership(consumer: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    """The consumer, started; at the end it is stopped, or left behind after a while.

    Raises:
        KafkaError: the broker does not answer.
    """
    async with contextlib.AsyncExitStack() as started:
        started.push_async_callback(_say_goodbye, consumer)
        await consumer.start()
        yield consumer


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
