"""A request's URL and form, sorted: what is transport, what is a setting, what is a parameter."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from countinghouse.local.front.engine import is_reading_only
from countinghouse.local.front.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, ClickHouseError
from countinghouse.local.front.handles import SessionRequest

# Arguments that the HTTP interface takes for itself; every other one is a setting.
TRANSPORT = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table that came with the query and lives as long as it."""

    name: str
    structure: str
    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, understood; the statement's text may go on in the body."""

    query: bytes
    settings: Mapping[str, str]
    params: Mapping[str, str]
    session: SessionRequest
    database: str | None
    default_format: str
    wants_compression: bool
    why_reading: str = ""
    """Why its statement may change nothing; empty where it may."""
    external: tuple[ExternalTable, ...] = field(default=())


async def read_ask(request: web.Request) -> Ask:
    """Everything about the request but its body, unless that is a form.

    Raises:
        ClickHouseError: an argument has no meaning here.
    """
    arguments = dict(request.query)
    files: dict[str, bytes] = {}
    if request.content_type.startswith("multipart/"):
        files = await _read_form(request, arguments)
    external = tuple(_external(name, data, arguments) for name, data in files.items())
    if arguments.get("decompress") == "1" or arguments.get("compress") == "1":
        raise ClickHouseError.of(
            NOT_IMPLEMENTED, "ClickHouse's own block compression: use Content-Encoding instead."
        )
    settings = _settings(arguments)
    return Ask(
        query=arguments.get("query", "").encode(),
        settings=settings,
        params={k[6:]: v for k, v in arguments.items() if k.startswith("param_")},
        session=_session(arguments),
        database=arguments.get("database") or request.headers.get("X-ClickHouse-Database"),
        default_format=arguments.get("default_format")
        or request.headers.get("X-ClickHouse-Format")
        or "TabSeparated",
        wants_compression=arguments.get("enable_http_compression") == "1",
        why_reading=_why_reading(request.method, settings),
        external=external,
    )


def _settings(arguments: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in arguments.items()
        if name not in TRANSPORT and not name.startswith("param_")
    }


def _why_reading(method: str, settings: Mapping[str, str]) -> str:
    """The engine keeps to `readonly` too, but would write a file for it, or stop a query."""
    if method == "GET":
        return "A GET request reads only: use POST to write."
    return "Cannot execute query in readonly mode." if is_reading_only(settings) else ""


def _session(arguments: Mapping[str, str]) -> SessionRequest:
    try:
        timeout = float(arguments.get("session_timeout", "60"))
    except ValueError as error:
        raise ClickHouseError.of(BAD_ARGUMENTS, "session_timeout is not a number.") from error
    return SessionRequest(
        id=arguments.get("session_id", ""),
        timeout=timeout,
        must_exist=arguments.get("session_check") == "1",
        is_last=arguments.get("close_session") == "1",
    )


async def _read_form(request: web.Request, arguments: dict[str, str]) -> dict[str, bytes]:
    """Fields join the arguments; files are returned by the table's name."""
    files: dict[str, bytes] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or not part.name:
            raise ClickHouseError.of(BAD_ARGUMENTS, "A part of the form has no name.")
        data = bytes(await part.read(decode=True))
        if part.filename:
            files[part.name] = data
        else:
            arguments[part.name] = data.decode()
    return files


def _external(name: str, data: bytes, arguments: dict[str, str]) -> ExternalTable:
    structure = arguments.pop(f"{name}_structure", "")
    types = arguments.pop(f"{name}_types", "")
    if types:
        structure = ", ".join(f"_{i} {kind}" for i, kind in enumerate(types.split(","), start=1))
    if not structure or not name.isidentifier():
        raise ClickHouseError.of(
            BAD_ARGUMENTS, f"External table {name!r} needs a plain name and {name}_structure."
        )
    return ExternalTable(name, structure, arguments.pop(f"{name}_format", "TabSeparated"), data)
