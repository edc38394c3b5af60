"""The warehouse front when clients, processes and disks do not behave."""

import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from pipelines.usage.usage_reading import bounds_of
from schemas.errors import DependencyUnreachable
from stores.warehouse import client as warehouse
from stores.warehouse.cuts import bounds_slice
from tests.embedded import FrontProcess, running_front

pytestmark = pytest.mark.integration

ENDLESS = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
RUNNING = "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%' AND elapsed > 0.1"


def connect(front: FrontProcess) -> Client:
    return clickhouse_connect.get_client(dsn=front.url)


def kill(front: FrontProcess) -> None:
    front.process.kill()
    front.process.wait()


def send_and_hang_up(database_url: str, sql: str, client: Client) -> None:
    """Send a query over a plain socket and close it once the query runs."""
    url = httpx.URL(database_url)
    basic = b64encode(f"{url.username}:{url.password}".encode()).decode()
    with socket.create_connection((url.host, url.port or 0)) as wire:
        wire.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Length: {len(sql)}\r\n\r\n{sql}".encode()
        )
        wait_for(client, RUNNING, 1)


def wait_for(client: Client, sql: str, expected: int) -> None:
    deadline = time.monotonic() + 20
    while client.command(sql) != expected:
        assert time.monotonic() < deadline, f"{sql} did not become {expected}"
        time.sleep(0.05)


@pytest.mark.parametrize("form", ["Native", "JSON"])
def test_a_client_that_goes_away_stops_its_query(
    database_url: str, client: Client, form: str
) -> None:
    send_and_hang_up(database_url, f"{ENDLESS} FORMAT {form}", client)
    wait_for(client, RUNNING, 0)


def test_a_stream_given_up_stops_its_query(database_url: str, client: Client) -> None:
    with httpx.stream(
        "POST",
        database_url.rsplit("/", 1)[0],
        content="SELECT number, 'sipHash64' FROM numbers(1000000000000) FORMAT TSV",
    ) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        wait_for(client, RUNNING, 1)
    wait_for(client, RUNNING, 0)


def test_an_insert_broken_off_writes_nothing(database_url: str, client: Client, table: str) -> None:
    url = httpx.URL(database_url)
    basic = b64encode(f"{url.username}:{url.password}".encode()).decode()
    sql = "INSERT INTO front.t (id) FORMAT TSV\n"
    with socket.create_connection((url.host, url.port or 0)) as wire:
        wire.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n"
            f"Content-Length: 100000000\r\n\r\n{sql}".encode()
        )
        wire.sendall(b"1\n" * 1_000_000)
    client.insert(table, [(7, "x", 1, 0)], column_names=["id", "name", "amount", "at"])
    assert client.command(f"SELECT groupArray(id) FROM {table}") == "[7]"


def test_acknowledged_inserts_survive_a_kill(tmp_path: Path) -> None:
    acknowledged = 0
    with running_front(tmp_path) as front, connect(front) as client:
        client.command("CREATE TABLE kept (id UInt64) ENGINE = MergeTree ORDER BY id")
        for batch in range(20):
            client.insert("kept", [(batch * 100 + i,) for i in range(100)], column_names=["id"])
            acknowledged += 100
        front.process.kill()
        front.process.wait()
    with running_front(tmp_path) as front, connect(front) as client:
        assert client.command("SELECT uniqExact(id) FROM kept") == acknowledged
    assert front.process.returncode == 0


def test_it_stops_cleanly_while_a_query_runs(tmp_path: Path) -> None:
    with (
        running_front(tmp_path) as front,
        connect(front) as client,
        subprocess.Popen(
            [sys.executable, "-c", QUERY_FOREVER, front.url, ENDLESS], stderr=subprocess.DEVNULL
        ),
    ):
        wait_for(client, RUNNING, 1)
        started = time.monotonic()
        front.process.terminate()
        assert front.process.wait(20) == 0
        assert time.monotonic() - started < 10
    assert "Traceback" not in (tmp_path / "front.log").read_text()


QUERY_FOREVER = """
import sys, httpx
url, sql = sys.argv[1:]
httpx.post(url.rsplit("/", 1)[0], content=sql, timeout=None)
"""


def test_a_second_front_on_the_folder_names_the_first(tmp_path: Path) -> None:
    with running_front(tmp_path) as front:
        second = subprocess.run(
            [sys.executable, "-m", "countinghouse.local.front"],
            env={**os.environ, "COUNTINGHOUSE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    last_line = second.stderr.strip().splitlines()[-1]
    assert second.returncode == 1
    assert f"in use by process {front.process.pid}" in last_line
    assert "Traceback" not in second.stderr


def test_a_front_that_dies_under_a_read_is_said_to_be_away(tmp_path: Path) -> None:
    with running_front(tmp_path) as front, warehouse.connect(front.url) as client:
        warehouse.migrate(client)
        with (
            pytest.raises(DependencyUnreachable),
            bounds_slice(client, bounds_of({"acme": (0, 1)})),
        ):
            kill(front)


def test_its_token_is_for_its_owner_only(tmp_path: Path) -> None:
    with running_front(tmp_path) as front:
        assert (tmp_path / "warehouse.token").stat().st_mode & 0o777 == 0o600
        address = f"http://127.0.0.1:{front.port}/"
        assert httpx.get(f"{address}ping").text == "Ok.\n"
        refused = httpx.post(address, content="SELECT 1")
        assert (refused.status_code, refused.headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        bearer = {"Authorization": f"Bearer {front.token}"}
        assert httpx.post(address, content="SELECT 1", headers=bearer).text == "1\n"
        keys = {"X-ClickHouse-User": "countinghouse", "X-ClickHouse-Key": front.token}
        assert httpx.post(address, content="SELECT 1", headers=keys).text == "1\n"


def test_a_config_file_in_the_working_directory_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text("<clickhouse><not_closed>")
    with running_front(tmp_path / "home", folder=tmp_path) as front, connect(front) as client:
        assert client.command("SELECT 1") == 1
