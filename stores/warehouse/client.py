"""Connections to the warehouse by clickhouse-connect, and the statements kept as `.sql` files.

Owns how we connect and how its errors read; table definitions are in `ddl`, queries in `queries`.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError
from clickhouse_connect.driver.query import QueryResult

from schemas.errors import DependencyUnreachable, InvalidInput

CONNECT_SECONDS = 5
QUERY_SECONDS = 600
SILENT = "start the local stack with `countinghouse up`, or set COUNTINGHOUSE_CLICKHOUSE"
UNTRUSTED = "end COUNTINGHOUSE_CLICKHOUSE with ?ca_cert= and the file of its authority"

# Whatever fails is raised, and told by whom it concerns.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)

_MISSING = re.compile(
    r"[Cc]ode: 60\b.*(?:Unknown table expression identifier '|[Cc]ould not find table: |[Tt]able )"
    r"(?:\w+\.)?(\w+)(?:'|\. | does not exist)"
)
"""How ClickHouse says that a table is not there."""


class MissingTable(DependencyUnreachable):
    """The warehouse was never made, or a table of it was dropped."""


Rows = Sequence[Sequence[Any]]


def connect(url: str) -> Client:
    """A client of the warehouse at an HTTP URL; its datetimes are aware. Close it after use.

    What stands behind `?` are options of clickhouse-connect: `ca_cert` is a file with the authority
    of an https server's certificate, where the system does not know it.

    One client serves one thread at a time.

    Raises:
        InvalidInput: not a URL that clickhouse-connect knows.
        DependencyUnreachable: nothing answers there, or it refuses the user.
    """
    scheme = urlsplit(url).scheme
    if scheme not in {"http", "https", "chdb"}:
        raise InvalidInput(
            f"{address(url)!r} is not a ClickHouse URL: set COUNTINGHOUSE_CLICKHOUSE to one like "
            "http://user:password@host:8123/database"
        )
    with reachable(url):
        return clickhouse_connect.get_client(
            dsn=url,
            secure=scheme == "https",  # else it goes by the port, and in plain text at most of them
            tz_mode="aware",
            autogenerate_session_id=False,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=QUERY_SECONDS,
        )


@contextmanager
def reachable(url: str) -> Iterator[None]:
    """Turn a failed connection into `DependencyUnreachable` with the address and the setting.

    A table that is not there is one as well, `MissingTable`: the statements are ours.
    """
    try:
        yield
    except DatabaseError as error:
        if table := _MISSING.search(str(error)):
            raise MissingTable(
                f"ClickHouse at {address(url)} does not have the table {table[1]}: "
                "run `countinghouse worker init`, which makes what is missing"
            ) from error
        if not isinstance(error, OperationalError) and not _is_refusal(str(error)):
            raise
        raise _unreachable(url, error) from error
    except (ClickHouseError, OSError) as error:
        raise _unreachable(url, error) from error


def address(url: str) -> str:
    """The URL without user and password, to be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@cache
def statement(name: str) -> str:
    """The text of a query file."""
    return (files("stores.warehouse") / "queries" / f"{name}.sql").read_text()


def ask(client: Client, name: str, parameters: Mapping[str, object] | None = None) -> Rows:
    """The rows that a query file answers with.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    with reachable(client.uri):
        return client.query(statement(name), parameters=dict(parameters or {})).result_rows


def ask_reading(client: Client, text: str) -> QueryResult:
    """What anybody's statement answers with; the engine lets it change nothing, by `readonly`.

    The strict level: by the other one it might still write through table functions.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    own = client.server_settings.get("readonly")
    is_bound = own is not None and own.value != "0"  # a user who only reads may not set it again
    with reachable(client.uri):
        return client.query(text, settings={} if is_bound else {"readonly": 1})


def ask_table(
    client: Client, text: str, parameters: Mapping[str, object], columns: Mapping[str, str]
) -> pa.Table:
    """What a query answers with as a table of these columns, in the order of its own.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    with reachable(client.uri):
        found = client.query_arrow(text, parameters=dict(parameters))
    schema = pa.schema([(each, pa.type_for_alias(kind)) for each, kind in columns.items()])
    # An empty answer may come without columns.
    return (
        found.rename_columns(schema.names).cast(schema) if found.num_rows else schema.empty_table()
    )


def migrate(client: Client) -> None:
    """Create tables and views, or bring them up to date; running it again changes nothing.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
    """
    folder = files("stores.warehouse") / "ddl"
    with reachable(client.uri):
        for script in sorted(folder.iterdir(), key=lambda script: script.name):
            if script.name.endswith(".sql"):
                client.command(script.read_text())


def _is_refusal(text: str) -> bool:
    return "AUTHENTICATION_FAILED" in text or "Unauthorized" in text


def _unreachable(url: str, error: Exception) -> DependencyUnreachable:
    cause: BaseException = error
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper  # "connection refused" says more than all that the libraries make of it
    said = str(cause).strip() or type(cause).__name__
    reason = (said.partition("DB::Exception: ")[2] or said).splitlines()[0][:200]
    remedy = UNTRUSTED if "certificate verify failed" in reason else SILENT
    return DependencyUnreachable(
        f"ClickHouse at {address(url)} does not answer ({reason}): {remedy}"
    )
