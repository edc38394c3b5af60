"""The engine and its handles: one chDB per process, one thread and one session state per handle.

Owns every call into chDB. A handle is used by one request at a time; whoever gives up on a call
must `abandon` the handle, which stops the query inside the engine.
"""

import asyncio
import importlib
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from countinghouse.local.front.errors import ClickHouseError
from schemas.errors import Conflict

T = TypeVar("T")
KILL_INTERVAL = 0.1  # seconds between two attempts to stop a query that has not begun yet


class Handle:
    """One connection to the engine, with its settings, database and thread."""

    def __init__(self, connection: Any, defaults: Mapping[str, str]) -> None:
        self.connection = connection
        self.tag = secrets.token_hex(8)  # how its running query is recognised among others
        self.is_marked = False  # a statement has changed the session: not for another client
        self._is_bound = False  # it only reads from now on: the engine never takes that back
        self._defaults = dict(defaults)
        self._applied: dict[str, str] = {}
        self._database = "default"
        self._thread = ThreadPoolExecutor(1)
        self._stream: Any = None

    @property
    def is_reusable(self) -> bool:
        """Whether nothing is open or left behind on it."""
        return self._stream is None and not self.is_marked and not self._is_bound

    def tagged(self, sql: bytes) -> bytes:
        """The statement with the handle's mark in front."""
        return b"/* %s */ %s" % (self.tag.encode(), sql)

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run one step on the handle's own thread.

        Raises:
            ClickHouseError: the engine refused.
        """
        future = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            return await future
        except RuntimeError as error:
            raise ClickHouseError.from_engine(error) from error

    async def prepare(self, settings: Mapping[str, str], database: str | None) -> None:
        """Bring the session state to exactly these settings and this database."""
        wanted = self._defaults | dict(settings)
        if wanted != self._applied:
            await self.call(self._apply, wanted)
        if database and database != self._database:
            await self.call(self._use, database)

    def _apply(self, wanted: dict[str, str]) -> None:
        # A name that is no identifier would end up in the statement's text.
        for name in wanted:
            if not name.isidentifier():
                raise ClickHouseError.of(36, f"{name!r} is not the name of a setting")
        changed = [f"{key} = {quoted(value)}" for key, value in wanted.items()]
        reset = [f"{name} = DEFAULT" for name in self._applied if name not in wanted]
        self._is_bound |= is_reading_only(wanted)
        self._applied = {}  # unknown until all of it is in force, so the next request sets it anew
        self.connection.query("SET " + ", ".join(changed + reset), "Null")
        self._applied = wanted

    def _use(self, database: str) -> None:
        escaped = database.replace("\\", "\\\\").replace("`", "\\`")
        self.connection.query(f"USE `{escaped}`", "Null")
        self._database = database

    def query(self, sql: bytes, form: str, params: Mapping[str, str]) -> Any:
        """Run a statement and return its whole result."""
        return self.connection.query(self.tagged(sql), form, params=dict(params))

    def open_stream(self, sql: bytes, form: str, params: Mapping[str, str]) -> bytes:
        """Start a SELECT and return its first piece; empty means there is no more."""
        self._stream = self.connection.send_query(self.tagged(sql), form, params=dict(params))
        return self.next_piece()

    def next_piece(self) -> bytes:
        """The next piece of the open stream; empty at its end."""
        stream, self._stream = self._stream, None
        piece = self.connection.streaming_fetch_result(stream)
        if piece.has_error():
            raise RuntimeError(piece.error_message())
        if piece.size():
            self._stream = stream
        return bytes(piece.bytes())

    async def abandon(self, kill: Callable[[str], None]) -> None:
        """Stop whatever runs on the handle and close it."""
        idle = asyncio.ensure_future(asyncio.to_thread(self._close))
        while not (await asyncio.wait([idle], timeout=KILL_INTERVAL))[0]:
            await asyncio.to_thread(kill, self.tag)
        await idle

    def _close(self) -> None:
        """Close after what runs now; blocks."""
        self._thread.submit(self._close_connection).result()
        self._thread.shutdown()

    def _close_connection(self) -> None:
        if self._stream is not None:
            self.connection.streaming_cancel_query(self._stream)
        self.connection.close()


class Engine:
    """The one chDB of this process, on one folder."""

    def __init__(self, folder: Path, defaults: Mapping[str, str]) -> None:
        # Its handlers would take our SIGTERM and write crash reports over our log.
        native().set_signal_handlers_enabled(0)
        self._folder = folder
        self._defaults = defaults
        self._lock = threading.Lock()
        self._control = self._connect()
        self.timezone = self._control.query("SELECT timezone()", "TSVRaw").data().strip()
        self.version = self._control.query("SELECT version()", "TSVRaw").data().strip()

    def open(self) -> Handle:
        """A new handle with the default settings; a fraction of a millisecond."""
        return Handle(self._connect(), self._defaults)

    def classify(self, sql: bytes) -> Any:
        """What the engine's parser says of a statement: its class and how many there are."""
        with self._lock:
            return self._control.classify_query(sql.decode(errors="replace"))

    def kill(self, tag: str) -> None:
        """Ask the engine to stop the query with this mark; returns at once."""
        with self._lock:
            self._control.query(f"KILL QUERY WHERE startsWith(query, '/* {tag} */') ASYNC", "Null")

    def close(self) -> None:
        """Close the engine itself, after every handle."""
        self._control.close()

    def _connect(self) -> Any:
        try:
            return native().connect(str(self._folder))
        except RuntimeError as error:
            raise Conflict(_reason(self._folder, error)) from error


@cache
def native() -> Any:
    """The engine's C extension, which reads the environment when it is loaded.

    chDB's own wrapper around it adds notebook features and nothing that we need.
    """
    return importlib.import_module("chdb._chdb")


def quoted(value: str) -> str:
    """A string literal; the engine casts it to the setting's type."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def is_reading_only(settings: Mapping[str, str]) -> bool:
    """Whether a request asks that its statement change nothing, as `readonly` does on a server."""
    return settings.get("readonly", "0") not in {"", "0"}


def is_changing_session(statement_class: Any) -> bool:
    """Whether a statement leaves something behind in its session: SET, USE, a temporary table."""
    return bool(statement_class == native().query_class.CONTROL)


def is_writing(statement_class: Any) -> bool:
    """Whether a statement does more than read."""
    return bool(
        statement_class not in {native().query_class.READ_ONLY, native().query_class.UNKNOWN}
    )


def _reason(folder: Path, error: Exception) -> str:
    status = folder / "status"
    if "EmbeddedServer" in str(error) and status.exists():
        owner = status.read_text().splitlines()[0].removeprefix("PID: ")
        return (
            f"{folder} is in use by process {owner}: stop it (countinghouse down), "
            "or set COUNTINGHOUSE_HOME to another folder"
        )
    return f"the warehouse in {folder} cannot be opened: {str(error).strip()[-300:]}"
