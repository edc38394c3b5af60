"""How many decisions a second a gate gives from memory, beside asking SQLite or a server for each.

    python benchmarks/gate.py --tenants 100000

Every way answers the same questions about the same tenants: half are allowed, a quarter warned, a
quarter denied. SQLite is a file on this machine with one row a tenant; the server is a process of
its own on this machine that decides by the same table (Starlette on uvicorn), asked over one kept
connection. Both are as near as a network service can ever be.
"""

import argparse
import http.client
import json
import multiprocessing
import random
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from countinghouse.objections import Objections

KINDS = ("allow", "warn", "deny", "allow")
NOW_MS = 1_792_065_600_000
QUESTIONS = 200_000

Ask = Callable[[str], str]


def rows_of(tenants: int) -> list[tuple[bytes, bytes]]:
    """What the topic says of so many tenants, one window each."""
    rows = []
    for n in range(tenants):
        key = json.dumps([f"tenant-{n}", "tokens", "billing_period", "2026-10-01T00:00:00Z"])
        row = {
            "tenant": f"tenant-{n}",
            "meter": "tokens",
            "window": {"kind": "billing_period", "start": "2026-10-01T00:00:00Z"},
            "decision": KINDS[n % 4],
            "resets_at": "2099-11-01T00:00:00Z",
        }
        rows.append((key.encode(), json.dumps(row).encode()))
    return rows


def a_table(rows: Iterable[tuple[bytes, bytes]]) -> Objections:
    """The rows as a gate keeps them."""
    table = Objections()
    for key, value in rows:
        table.apply(key, value, NOW_MS)
    return table


def from_memory(tenants: int) -> Ask:
    """The gate's own way, this machine's clock read for each question."""
    decide = a_table(rows_of(tenants)).decide
    return lambda tenant: decide(tenant, "tokens")


def from_sqlite(tenants: int) -> Ask:
    """A row by its primary key."""
    database = sqlite3.connect(Path(tempfile.mkdtemp()) / "decisions.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(
        "CREATE TABLE decisions (tenant TEXT, meter TEXT, decision TEXT, "
        "PRIMARY KEY (tenant, meter)) WITHOUT ROWID"
    )
    rows = ((f"tenant-{n}", "tokens", KINDS[n % 4]) for n in range(tenants))
    database.executemany("INSERT INTO decisions VALUES (?, ?, ?)", rows)
    database.commit()
    question = "SELECT decision FROM decisions WHERE tenant = ? AND meter = ?"

    def ask(tenant: str) -> str:
        return str(database.execute(question, (tenant, "tokens")).fetchone()[0])

    return ask


def serve(tenants: int, port: int) -> None:
    """The server."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    decide = a_table(rows_of(tenants)).decide

    async def gate(request: Request) -> PlainTextResponse:
        return PlainTextResponse(decide(request.path_params["tenant"], "tokens"))

    app = Starlette(routes=[Route("/{tenant}", gate)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def from_server(tenants: int) -> Ask:
    """A request for each question, over one connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.Process(target=serve, args=(tenants, port), daemon=True).start()
    wire = http.client.HTTPConnection("127.0.0.1", port)
    while True:
        try:
            wire.connect()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)

    def ask(tenant: str) -> str:
        wire.request("GET", f"/{tenant}")
        return wire.getresponse().read().decode()

    return ask


def measure(ask: Ask, tenants: int, questions: int) -> tuple[float, float]:
    """Decisions a second, and the 99th percentile of one in µs."""
    chance = random.Random(7)  # noqa: S311
    asked = [chance.randrange(tenants) for _ in range(questions)]
    names = [f"tenant-{n}" for n in asked]
    assert [ask(name) for name in names[:100]] == [KINDS[n % 4] for n in asked[:100]]  # noqa: S101
    began = time.perf_counter()
    for name in names:
        ask(name)
    per_second = questions / (time.perf_counter() - began)
    took = sorted(_timed(ask, name) for name in names[: min(questions, 20_000)])
    return per_second, took[len(took) * 99 // 100] * 1e6


def _timed(ask: Ask, name: str) -> float:
    began = time.perf_counter()
    ask(name)
    return time.perf_counter() - began


def main() -> None:
    """Read the arguments, measure each way, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tenants", type=int, default=100_000)
    tenants = parser.parse_args().tenants
    rows = rows_of(tenants)
    began = time.perf_counter()
    a_table(rows)
    took = time.perf_counter() - began
    print(f"{tenants:,} rows taken over in {took:.2f} s ({tenants / took:,.0f} a second)")
    ways: dict[str, tuple[Callable[[int], Ask], int]] = {
        "the gate, from memory": (from_memory, QUESTIONS * 5),
        "SQLite on this machine": (from_sqlite, QUESTIONS),
        "a server on this machine, HTTP": (from_server, QUESTIONS // 40),
    }
    print(f"{'':34}{'decisions/s':>14}{'p99, µs':>10}")
    for name, (way, questions) in ways.items():
        per_second, p99_us = measure(way(tenants), tenants, questions)
        print(f"{name:34}{per_second:14,.0f}{p99_us:10.1f}")


if __name__ == "__main__":
    main()
