"""The warehouse front through ClickHouse's ordinary client: what must work as on a server."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import clickhouse_connect
import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

pytestmark = pytest.mark.integration

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
ROW = (1, "a", Decimal("1.500000"), AT)
COLUMNS = ["id", "name", "amount", "at"]
ARROW = pa.table(
    {
        "id": pa.array([1], pa.int64()),
        "name": ["a"],
        "amount": pa.array([Decimal("1.5")], pa.decimal128(18, 6)),
        "at": pa.array([AT], pa.timestamp("ms", "UTC")),
    }
)
JSON_ROW = b'{"id": 1, "name": "a", "amount": "1.5", "at": "2026-10-01 12:00:00"}\n'


def insert_rows(client: Client) -> None:
    client.insert("t", [ROW], column_names=COLUMNS)


def insert_columns(client: Client) -> None:
    client.insert("t", [[x] for x in ROW], column_names=COLUMNS, column_oriented=True)


def insert_arrow(client: Client) -> None:
    client.insert_arrow("t", ARROW)


def insert_frame(client: Client) -> None:
    client.insert_df("t", pd.DataFrame([ROW], columns=COLUMNS))


def insert_json(client: Client) -> None:
    client.raw_insert("t", COLUMNS, JSON_ROW, fmt="JSONEachRow")


def insert_values(client: Client) -> None:
    client.command("INSERT INTO t VALUES (1, 'a', 1.5, '2026-10-01 12:00:00')")


def insert_select(client: Client) -> None:
    client.command("INSERT INTO t SELECT 1, 'a', 1.5, toDateTime64('2026-10-01 12:00:00', 3)")


def insert_with_parameters(client: Client) -> None:
    client.command(
        "INSERT INTO t SELECT {id:Int64}, {name:String}, {amount:Decimal(18,6)}, "
        "{at:DateTime64(3)}",
        parameters={"id": 1, "name": "a", "amount": Decimal("1.5"), "at": AT},
    )


@pytest.mark.parametrize(
    "insert",
    [
        insert_rows,
        insert_columns,
        insert_arrow,
        insert_frame,
        insert_json,
        insert_values,
        insert_select,
        insert_with_parameters,
    ],
)
def test_every_way_of_inserting_stores_the_same_row(
    client: Client, table: str, insert: Any
) -> None:
    insert(client)
    rows = client.query(f"SELECT * FROM {table}", tz_mode="aware").result_rows
    assert [tuple(row) for row in rows] == [ROW]


@pytest.mark.parametrize("compression", ["gzip", "zstd", "lz4"])
def test_compressed_bodies_are_undone_and_made(
    database_url: str, table: str, compression: str
) -> None:
    with clickhouse_connect.get_client(dsn=database_url, compress=compression) as client:
        client.insert("t", [(i, "a" * 50, i, AT) for i in range(50_000)], column_names=COLUMNS)
        rows = client.query("SELECT id, name FROM t ORDER BY id").result_rows
    assert len(rows) == 50_000
    assert tuple(rows[-1]) == (49_999, "a" * 50)


def test_an_insert_says_how_many_rows_were_written(client: Client, table: str) -> None:
    summary = client.insert(table, [ROW, ROW], column_names=COLUMNS)
    assert summary.written_rows == 2
    assert summary.query_id()


READS: dict[str, Callable[[Any], list[tuple[int, ...]]]] = {
    "rows": lambda c: [tuple(r) for r in c.query("SELECT number FROM numbers(3)").result_rows],
    "arrow": lambda c: [
        (x,) for x in c.query_arrow("SELECT number FROM numbers(3)")["number"].to_pylist()
    ],
    "frame": lambda c: [(int(x),) for x in c.query_df("SELECT number FROM numbers(3)")["number"]],
    "numpy": lambda c: [(int(x[0]),) for x in c.query_np("SELECT number FROM numbers(3)")],
    "raw": lambda c: [
        (int(x),) for x in c.raw_query("SELECT number FROM numbers(3)", fmt="TSV").split()
    ],
}


@pytest.mark.parametrize("read", READS)
def test_every_way_of_reading_gives_the_same_rows(client: Client, read: str) -> None:
    assert READS[read](client) == [(0,), (1,), (2,)]


def test_a_large_result_streams_in_blocks(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as stream:
        blocks = [len(block) for block in stream]
    assert sum(blocks) == 300_000
    assert len(blocks) > 1


def test_an_arrow_stream_carries_every_row(client: Client) -> None:
    with client.query_arrow_stream("SELECT number FROM numbers(300000)") as stream:
        assert sum(batch.num_rows for batch in stream) == 300_000


def test_another_query_may_run_while_a_stream_is_open(database_url: str) -> None:
    with (
        clickhouse_connect.get_client(dsn=database_url, autogenerate_session_id=False) as client,
        client.query_rows_stream("SELECT number FROM numbers(500000)") as stream,
    ):
        next(iter(stream))
        assert client.command("SELECT 42") == 42


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("String", "it's a \\ back\tslash"),
        ("Array(String)", ["a'b", "c"]),
        ("Decimal(18, 6)", Decimal("0.000001")),
        ("Nullable(Int32)", None),
    ],
)
def test_server_side_parameters_arrive_unharmed(client: Client, kind: str, value: Any) -> None:
    found = client.query(f"SELECT {{x:{kind}}}", parameters={"x": value}).result_rows[0][0]
    assert found == value


def test_settings_hold_for_one_query_only(client: Client) -> None:
    sql = "SELECT value FROM system.settings WHERE name = 'max_block_size'"
    before = client.command(sql)
    assert client.command(sql, settings={"max_block_size": 1234}) == 1234
    assert client.command(sql) == before


@pytest.mark.parametrize("level", [1, 2])
def test_a_request_that_only_reads_changes_nothing_and_binds_no_other(
    client: Client, table: str, level: int
) -> None:
    reads = {"readonly": level}
    for change in (
        "DROP TABLE t",
        "TRUNCATE TABLE t",
        "INSERT INTO t (id) VALUES (2)",
        "SET a = 1",
    ):
        with pytest.raises(DatabaseError, match="READONLY"):
            client.command(change, settings=reads)
    assert client.query("SELECT count() FROM t", settings=reads).result_rows == [(0,)]
    insert_rows(client)
    assert client.query("SELECT count() FROM t", settings=reads).result_rows == [(1,)]


def test_a_reader_of_many_leaves_every_handle_to_those_who_write(database_url: str) -> None:
    with clickhouse_connect.get_client(dsn=database_url, autogenerate_session_id=False) as client:
        for _ in range(12):  # more than there are idle handles
            client.query("SELECT 1", settings={"readonly": 1})
            client.command("CREATE TABLE IF NOT EXISTS written (a Int8) ENGINE = Memory")


def test_a_client_may_bind_itself_to_reading(database_url: str, table: str) -> None:
    reads = {"readonly": 1}
    with clickhouse_connect.get_client(dsn=database_url, settings=reads) as client:
        assert client.query("SELECT count() FROM t").result_rows == [(0,)]
        with pytest.raises(DatabaseError, match="READONLY"):
            client.command("DROP TABLE t")


def test_a_query_is_limited_to_half_of_the_memory(client: Client) -> None:
    limit = client.command("SELECT value FROM system.settings WHERE name = 'max_memory_usage'")
    assert int(str(limit)) > 0


def test_an_empty_result_has_its_columns(client: Client, table: str) -> None:
    result = client.query(f"SELECT id, name FROM {table} LIMIT 0")
    assert list(result.column_names) == ["id", "name"]


def test_statements_that_are_no_select_answer(client: Client, table: str) -> None:
    assert table in str(client.command("SHOW TABLES"))
    assert "Output: id" in str(client.command(f"EXPLAIN SELECT * FROM {table}"))
    assert client.query(f"DESCRIBE {table}").result_rows[0][0] == "id"
    assert client.command(f"EXISTS TABLE {table}") == 1
    client.command(f"ALTER TABLE {table} ADD COLUMN more String")
    client.command(f"OPTIMIZE TABLE {table} FINAL")


@pytest.mark.parametrize(
    ("sql", "code", "name"),
    [
        ("SELECT * FROM nosuch", 60, "UNKNOWN_TABLE"),
        ("SELECT nosuch", 47, "UNKNOWN_IDENTIFIER"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(1, 'no luck')", 395, "no luck"),
        ("INSERT INTO nosuch VALUES (1)", 60, "UNKNOWN_TABLE"),
    ],
)
def test_an_error_carries_clickhouses_code(client: Client, sql: str, code: int, name: str) -> None:
    with pytest.raises(DatabaseError, match=name) as caught:
        client.command(sql)
    assert caught.value.code == code
    assert client.command("SELECT 1") == 1


def test_an_error_in_the_middle_of_a_result_is_seen(client: Client) -> None:
    sql = "SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000)"
    with pytest.raises(StreamFailureError, match="too far"):
        _ = client.query(sql, settings={"max_block_size": 10_000, "max_threads": 1}).result_rows


def test_bad_data_is_refused_whole(client: Client, table: str) -> None:
    with pytest.raises(DatabaseError, match="CANNOT_PARSE"):
        client.raw_insert(table, COLUMNS, JSON_ROW + b'{"id": "zz"}\n', fmt="JSONEachRow")
    assert client.command(f"SELECT count() FROM {table}") == 0


def test_a_failed_insert_leaves_nothing_behind_for_the_next_request(
    client: Client, table: str
) -> None:
    for _ in range(12):  # more than there are idle handles
        with pytest.raises(DatabaseError, match="CANNOT_PARSE"):
            client.raw_insert(table, COLUMNS, b'{"id": "zz"}\n' * 1000, fmt="JSONEachRow")
        client.raw_insert(table, COLUMNS, JSON_ROW, fmt="JSONEachRow")
        client.raw_insert(table, COLUMNS, JSON_ROW, fmt="JSONEachRow")
    assert client.command(f"SELECT count() FROM {table}") == 24


def test_a_session_keeps_what_was_set_in_it(client: Client) -> None:
    client.command("CREATE TEMPORARY TABLE mine (a Int8)")
    client.insert("mine", [(1,)], column_names=["a"])
    assert client.command("SELECT count() FROM mine") == 1
    client.command("SET max_result_rows = 7")
    sql = "SELECT value FROM system.settings WHERE name = 'max_result_rows'"
    assert client.command(sql) == 7


def test_without_a_session_nothing_is_left_behind(database_url: str) -> None:
    sql = "SELECT value FROM system.settings WHERE name = 'max_result_rows'"
    with clickhouse_connect.get_client(dsn=database_url, autogenerate_session_id=False) as client:
        client.command("SET max_result_rows = 7")
        client.command("CREATE TEMPORARY TABLE mine (a Int8)")
        assert {client.command(sql) for _ in range(10)} == {0}
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
            client.command("SELECT * FROM mine")


def test_a_busy_session_is_locked(database_url: str) -> None:
    def one(_: int) -> Any:
        with clickhouse_connect.get_client(dsn=database_url, session_id="shared") as client:
            return client.command("SELECT sleep(0.5)")

    with ThreadPoolExecutor(2) as pool, pytest.raises(DatabaseError, match="SESSION_IS_LOCKED"):
        list(pool.map(one, range(2)))


def test_queries_run_side_by_side(database_url: str) -> None:
    def one(number: int) -> int:
        with clickhouse_connect.get_client(dsn=database_url) as client:
            sql = f"SELECT sum(number) + {number} FROM numbers(1000000)"
            return int(str(client.command(sql)))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(24)))
    assert found == [499_999_500_000 + number for number in range(24)]


def test_the_asyncio_client_works(database_url: str) -> None:
    async def ask() -> list[int]:
        client = await clickhouse_connect.get_async_client(
            dsn=database_url, autogenerate_session_id=False
        )
        async with client:
            results = await asyncio.gather(*(client.command(f"SELECT {i}") for i in range(8)))
        return [int(str(result)) for result in results]

    assert asyncio.run(ask()) == list(range(8))


def test_external_data_joins_a_query(client: Client) -> None:
    data = ExternalData(file_name="wanted.csv", data=b"1\n3\n", fmt="CSV", structure=["id Int64"])
    sql = "SELECT sum(number) FROM numbers(10) WHERE number IN (SELECT id FROM wanted)"
    assert client.query(sql, external_data=data).result_rows == [(4,)]


def test_a_form_carries_the_query(database_url: str) -> None:
    with clickhouse_connect.get_client(dsn=database_url, form_encode_query_params=True) as client:
        assert client.query("SELECT {x:Int8}", parameters={"x": 5}).result_rows == [(5,)]


def test_times_are_utc_wherever_the_machine_is(client: Client) -> None:
    assert client.command("SELECT timezone()") == "UTC"


VIEW = "CREATE MATERIALIZED VIEW v ENGINE = Memory AS SELECT throwIf(id = 2) AS x FROM t"


@pytest.mark.parametrize(
    ("statement", "code"),
    [("ALTER TABLE t ADD CONSTRAINT only_one CHECK id = 1", 469), (VIEW, 395)],
)
def test_an_insert_that_fails_behind_the_parser_is_not_acknowledged(
    client: Client, table: str, statement: str, code: int
) -> None:
    client.command(statement)
    rows = pa.table({"id": pa.array([1, 2], pa.int64())})
    with pytest.raises(DatabaseError, match=f"code: {code}"):
        client.insert_arrow(table, rows)
    client.command("DROP VIEW IF EXISTS v")
