"""The HTTP interface: one request in, one statement through a handle, its result out."""

import asyncio
import json
import secrets
import time
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

from aiohttp import web

from countinghouse.local.front.ask import Ask, ExternalTable, read_ask
from countinghouse.local.front.body import Body
from countinghouse.local.front.compression import response_encoder
from countinghouse.local.front.engine import Engine, Handle, is_changing_session, is_writing
from countinghouse.local.front.errors import READONLY, SYNTAX_ERROR, ClickHouseError
from countinghouse.local.front.handles import Handles
from countinghouse.local.front.statement import (
    HEAD_BYTES,
    Insert,
    first_word,
    split_insert,
    trailing_format,
)
from countinghouse.local.front.token import authenticate

# Pieces of these put one after another are one valid result; others have a head, a foot or both.
STREAMABLE = frozenset(
    {
        "CSV",
        "JSONCompactEachRow",
        "JSONEachRow",
        "JSONLines",
        "JSONStringsEachRow",
        "NDJSON",
        "Native",
        "RowBinary",
        "TSKV",
        "TSV",
        "TabSeparated",
    }
)
SELECTS = frozenset({"SELECT", "WITH", "FROM"})
CONTENT_TYPES = {
    "Arrow": "application/vnd.apache.arrow.file",
    "ArrowStream": "application/vnd.apache.arrow.stream",
    "CSV": "text/csv; charset=UTF-8",
    "CSVWithNames": "text/csv; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "RowBinary": "application/octet-stream",
}


class Front:
    """Answers requests from one engine."""

    def __init__(self, engine: Engine, token: str) -> None:
        self._engine = engine
        self._token = token
        self._handles = Handles(engine)

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/ping", _pong)
        app.router.add_get("/", self._answer)
        app.router.add_post("/", self._answer)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        await self._handles.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        headers = self._headers(request)
        try:
            if request.method == "GET" and "query" not in request.query:
                return await _pong(request)
            authenticate(self._token, request.headers, request.query)
            ask = await read_ask(request)
            return await self._run(request, ask, headers, started)
        except ClickHouseError as error:
            headers["X-ClickHouse-Exception-Code"] = str(error.code)
            return web.Response(status=error.status, text=f"{error.text}\n", headers=headers)

    def _headers(self, request: web.Request) -> dict[str, str]:
        return {
            "X-ClickHouse-Query-Id": request.query.get("query_id") or str(uuid4()),
            "X-ClickHouse-Server-Display-Name": "countinghouse",
            "X-ClickHouse-Timezone": self._engine.timezone,
        }

    async def _run(
        self, request: web.Request, ask: Ask, headers: dict[str, str], started: float
    ) -> web.StreamResponse:
        body = Body(request)
        head = await body.read(HEAD_BYTES)
        text = ask.query + b"\n" + head if ask.query and head else ask.query or head
        insert = split_insert(text)
        if insert is None:
            sql = text + await body.read_all()
            self._check(sql if len(sql) < HEAD_BYTES else text[:100], ask.why_reading)
            return await self._select(request, ask, sql, headers)
        if ask.why_reading:
            raise ClickHouseError.of(READONLY, ask.why_reading)
        async with self._handles.lend(ask.session) as handle:
            # An INSERT's text has no parameters of its own call: they go the way of settings.
            params = {f"param_{name}": value for name, value in ask.params.items()}
            handle.is_marked = bool(params)
            await handle.prepare({**ask.settings, **params}, ask.database)
            result = await _insert(handle, insert, body)
        headers["X-ClickHouse-Summary"] = _summary(result, started)
        return web.Response(headers=headers)

    def _check(self, sql: bytes, why_reading: str) -> None:
        found = self._engine.classify(sql)
        if found["statement_count"] > 1:
            raise ClickHouseError.of(
                SYNTAX_ERROR, "Multi-statements are not allowed: send one statement a request."
            )
        if why_reading and is_writing(found["query_class"]):
            raise ClickHouseError.of(READONLY, why_reading)

    async def _select(
        self, request: web.Request, ask: Ask, sql: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        form = trailing_format(sql) or ask.default_format
        verb = first_word(sql)
        async with self._handles.lend(ask.session) as handle:
            await handle.prepare(ask.settings, ask.database)
            handle.is_marked = bool(ask.external) or self._is_changing_session(sql, verb)
            for table in ask.external:
                await _load(handle, table)
            is_stream = verb in SELECTS and form in STREAMABLE
            step = handle.open_stream if is_stream else handle.query
            first = await handle.call(step, sql, form, ask.params)
            return await _send(request, ask, handle, first, form, headers)

    def _is_changing_session(self, sql: bytes, verb: str) -> bool:
        if verb in SELECTS or verb == "INSERT":
            return False
        return is_changing_session(self._engine.classify(sql)["query_class"])


async def _pong(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


async def _insert(handle: Handle, insert: Insert, body: Body) -> Any:
    """Run an INSERT of the body; nothing is written when the body breaks off.

    By way of a file: the engine's own insert in pieces (`send_insert`) says nothing of a failure
    behind the parser, so that rows would be acknowledged that a constraint, a view or a full disk
    kept out.
    """
    with NamedTemporaryFile(prefix="countinghouse-insert-") as file:
        data = insert.data
        while data or (data := await body.read()):
            await handle.call(file.write, data)
            data = b""
        await handle.call(file.flush)
        return await handle.call(handle.query, insert.from_file(file.name), "Null", {})


async def _load(handle: Handle, table: ExternalTable) -> None:
    """Make an external table in the session of a handle that is closed afterwards."""
    create = f"CREATE TEMPORARY TABLE {table.name} ({table.structure})".encode()
    await handle.call(handle.query, create, "Null", {})
    insert = Insert(f"INSERT INTO {table.name}".encode(), table.format, table.data)
    with NamedTemporaryFile(prefix="countinghouse-table-") as file:
        await handle.call(file.write, table.data)
        await handle.call(file.flush)
        await handle.call(handle.query, insert.from_file(file.name), "Null", {})


async def _send(
    request: web.Request, ask: Ask, handle: Handle, first: Any, form: str, headers: dict[str, str]
) -> web.StreamResponse:
    accepted = request.headers.get("Accept-Encoding", "")
    name, encoder = response_encoder(accepted, ask.wants_compression)
    tag = secrets.token_hex(8)
    headers["X-ClickHouse-Format"] = form
    headers["X-ClickHouse-Exception-Tag"] = tag
    headers["Content-Type"] = CONTENT_TYPES.get(form, "text/plain; charset=UTF-8")
    if name:
        headers["Content-Encoding"] = name
    is_stream = isinstance(first, bytes)
    if not is_stream:
        headers["X-ClickHouse-Summary"] = _summary(first, None)
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    piece = first if is_stream else first.bytes()
    try:
        while piece:
            await response.write(encoder.encode(piece))
            piece = await handle.call(handle.next_piece) if is_stream else b""
    except ClickHouseError as error:
        await response.write(encoder.encode(_late_error(error, tag)) + encoder.finish())
        return _broken_off(request, response)
    await response.write(encoder.finish())
    await response.write_eof()
    return response


def _late_error(error: ClickHouseError, tag: str) -> bytes:
    """An error after the first byte of a result, as ClickHouse's clients look for it."""
    text = error.text.encode() + b"\n"
    mark = tag.encode()
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (
        mark,
        text,
        len(text),
        mark,
    )


def _broken_off(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection without the last chunk, so that no client takes the result for whole."""
    if request.transport is not None:
        request.transport.close()
    return response


def _summary(result: Any, started: float | None) -> str:
    elapsed = time.perf_counter() - started if started else result.elapsed()
    return json.dumps(
        {
            "read_rows": str(result.rows_read()),
            "read_bytes": str(result.bytes_read()),
            "written_rows": str(result.rows_written()),
            "written_bytes": str(result.bytes_written()),
            "elapsed_ns": str(round(elapsed * 1e9)),
        }
    )


async def serve(front: Front, port: int, stop: asyncio.Event) -> None:
    """Listen on the loopback address until `stop` is set, then let running requests end."""
    runner = web.AppRunner(
        front.application(),
        handler_cancellation=True,  # a client that goes away stops its query
        access_log=None,
        shutdown_timeout=2,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await stop.wait()
    finally:
        await runner.cleanup()
