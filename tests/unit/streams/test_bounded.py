"""Waiting no longer than a while."""

import asyncio

import pytest

from schemas.errors import DependencyUnreachable
from streams.bounded import BrokenOff, broken_off, within


async def answer() -> int:
    return 42


async def fail() -> int:
    raise ValueError("no")


async def stubborn(ended: list[str]) -> int:
    """Like a transaction whose end waits for what will not come."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("tidying")
        await asyncio.Event().wait()
    return 0


def test_what_comes_in_time_is_handed_on() -> None:
    assert asyncio.run(within(5, answer(), "an answer")) == 42
    with pytest.raises(ValueError, match="no"):
        asyncio.run(within(5, fail(), "an answer"))


def test_what_does_not_come_is_ended_however_it_resists() -> None:
    ended: list[str] = []
    with pytest.raises(DependencyUnreachable, match=r"an answer took longer than 0\.01 s"):
        asyncio.run(within(0.01, stubborn(ended), "an answer"))
    assert ended == ["tidying"]


def test_being_cancelled_oneself_ends_it_too() -> None:
    ended: list[str] = []

    async def cancelled() -> None:
        task = asyncio.create_task(within(60, stubborn(ended), "an answer"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert ended == ["tidying"]


async def cut() -> int:
    """Like a request whose connection broke: its own future is cancelled."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel)
    return await future


def test_what_somebody_else_cancels_is_no_cancelling_of_ours() -> None:
    with pytest.raises(DependencyUnreachable, match="broken off"):
        asyncio.run(within(5, cut(), "an answer"))


async def cut_and_told() -> int:
    with broken_off():
        return await cut()


def test_what_the_client_cancels_is_an_error_that_can_be_waited_out() -> None:
    with pytest.raises(BrokenOff, match="broke"):
        asyncio.run(cut_and_told())
    assert BrokenOff.retriable


def test_who_is_told_to_end_ends() -> None:
    async def told() -> None:
        with broken_off():
            await asyncio.Event().wait()

    async def tell() -> None:
        task = asyncio.create_task(told())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(tell())
