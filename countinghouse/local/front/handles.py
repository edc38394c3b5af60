"""Which handle serves a request: a free one of the pool, or the one that its session owns."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from countinghouse.local.front.engine import Engine, Handle
from countinghouse.local.front.errors import (
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    ClickHouseError,
)

MAX_BUSY = 64  # requests at once, as many as ClickHouse's clients usually open
MAX_IDLE = 8
MAX_SESSIONS = 256


@dataclass(slots=True)
class Session:
    """A client's own handle, kept between its requests."""

    handle: Handle
    expires_at: float = 0.0
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What a request says about its session; an empty id means none."""

    id: str = ""
    timeout: float = 60.0
    must_exist: bool = False
    is_last: bool = False


@dataclass(slots=True)
class Handles:
    """The handles of one engine, lent to one request each."""

    engine: Engine
    _idle: deque[Handle] = field(default_factory=deque)
    _sessions: OrderedDict[str, Session] = field(default_factory=OrderedDict)
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)
    _busy: int = 0

    @asynccontextmanager
    async def lend(self, session: SessionRequest) -> AsyncIterator[Handle]:
        """A handle for the time of one request; given up with its query when the block fails.

        Raises:
            ClickHouseError: the session is busy or unknown, or too much runs at once.
        """
        if self._busy >= MAX_BUSY:
            raise ClickHouseError.of(
                TOO_MANY_SIMULTANEOUS_QUERIES, f"{MAX_BUSY} queries run already."
            )
        self._busy += 1
        try:
            block = self._from_session(session) if session.id else self._from_pool()
            async with block as handle:
                yield handle
        finally:
            self._busy -= 1

    @asynccontextmanager
    async def _from_pool(self) -> AsyncIterator[Handle]:
        handle = self._idle.pop() if self._idle else self.engine.open()
        try:
            yield handle
        except ClickHouseError:
            self._give_back(handle)
            raise
        except BaseException:
            self._abandon(handle)
            raise
        self._give_back(handle)

    def _give_back(self, handle: Handle) -> None:
        if handle.is_reusable and len(self._idle) < MAX_IDLE:
            self._idle.append(handle)
        else:
            self._abandon(handle)

    @asynccontextmanager
    async def _from_session(self, request: SessionRequest) -> AsyncIterator[Handle]:
        self._expire()
        session = self._find(request)
        session.is_busy = True
        is_over = True
        try:
            yield session.handle
            is_over = request.is_last
        except ClickHouseError:
            is_over = request.is_last
            raise
        finally:
            session.is_busy = False
            session.expires_at = time.monotonic() + request.timeout
            session.handle.is_marked = False
            if is_over or not session.handle.is_reusable:
                self._end(request.id)

    def _find(self, request: SessionRequest) -> Session:
        found = self._sessions.get(request.id)
        if found is None and request.must_exist:
            raise ClickHouseError.of(SESSION_NOT_FOUND, f"Session {request.id} not found.")
        if found is None:
            found = self._sessions[request.id] = Session(self.engine.open())
        if found.is_busy:
            raise ClickHouseError.of(
                SESSION_IS_LOCKED, f"Session {request.id} is locked by a concurrent client."
            )
        self._sessions.move_to_end(request.id)
        return found

    def _expire(self) -> None:
        """End sessions that are over, and the longest unused ones beyond the limit."""
        now, surplus = time.monotonic(), len(self._sessions) - MAX_SESSIONS + 1
        for session_id, session in list(self._sessions.items()):
            if not session.is_busy and (session.expires_at < now or surplus > 0):
                surplus -= 1
                self._end(session_id)

    def _end(self, session_id: str) -> None:
        if session := self._sessions.pop(session_id, None):
            self._abandon(session.handle)

    def _abandon(self, handle: Handle) -> None:
        task = asyncio.ensure_future(handle.abandon(self.engine.kill))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Close every handle, then the engine; requests have ended before."""
        for session_id in list(self._sessions):
            self._end(session_id)
        while self._idle:
            self._abandon(self._idle.pop())
        await asyncio.gather(*self._leaving)
        await asyncio.to_thread(self.engine.close)
