"""Waiting for the broker no longer than a while, whatever the client does meanwhile.

aiokafka's producer can lose its sending task to a broken connection, and then waits for ever for
what that task would have done; ending such a wait politely waits for it once more.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from schemas.errors import DependencyUnreachable

T = TypeVar("T")

_PATIENCE_S = 1


async def within(seconds: float, awaited: Coroutine[Any, Any, T], what: str) -> T:
    """The coroutine's result, or an error that says what did not happen in time.

    Raises:
        DependencyUnreachable: the time is over; the coroutine was told to end.
    """
    task = asyncio.create_task(awaited)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _end(task)
        raise
    if done:
        return task.result()
    await _end(task)
    raise DependencyUnreachable(f"Kafka: {what} took longer than {seconds:g} s")


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
