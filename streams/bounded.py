"""Waiting for the broker no longer than a while, whatever the client does meanwhile.

Our transactions and aiokafka's clients ask again for as long as what fails may pass by itself, and
whoever is told to end may first begin to tidy up, which is asking the broker once more.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from aiokafka.errors import KafkaConnectionError

from schemas.errors import DependencyUnreachable

T = TypeVar("T")

_PATIENCE_S = 0.5


async def within(seconds: float, awaited: Coroutine[Any, Any, T], what: str) -> T:
    """The coroutine's result, or an error that says what did not happen in time.

    Raises:
        DependencyUnreachable: the time is over and the coroutine was told to end, or it was
            cancelled by somebody else.
    """
    task = asyncio.create_task(awaited)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _end(task)
        raise
    if task.cancelled():  # by a client that cancels what waits for a broken connection
        raise DependencyUnreachable(f"Kafka: {what} was broken off")
    if done:
        return task.result()
    await _end(task)
    raise DependencyUnreachable(f"Kafka: {what} took longer than {seconds:g} s")


class BrokenOff(KafkaConnectionError):  # type: ignore[misc]
    """aiokafka has cancelled what waited for a connection that broke."""


@contextmanager
def broken_off() -> Iterator[None]:
    """Within the block, a cancellation that is aiokafka's own is an error like any other.

    To the one who waits it looks like being told to end, which it is not.

    Raises:
        BrokenOff: nobody has cancelled this task.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokenOff("the connection broke") from None


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel it until it gives in: the first time it may only begin to tidy up."""
    for _ in range(2):
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_S)
        if done:
            break
    task.add_done_callback(_look)


def _look(task: asyncio.Task[Any]) -> None:
    """Look at the error, which nobody else will: asyncio complains of unseen ones."""
    if not task.cancelled():
        task.exception()
