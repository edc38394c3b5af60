"""How fast a month is collected, charge after charge and several at a time.

    python -m benchmarks.collecting --invoices 400 --answer-ms 300 --at-once 8

The sandbox runs in a process of its own and answers after so long, as a provider over the internet
does. Nobody has a card, so that each answer is final, as Stripe's are: a charge is two transactions
of the ledger, which is SQLite in a folder of its own. CPU is the collecting process's.
"""

import argparse
import asyncio
import time
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.ledger import CATALOG, MONTH, NOW, compared, parts
from payments.sandbox import SandboxProvider, now_ms
from payments.sandbox_server import Sandbox, SandboxConfig
from pipelines.collection import collect
from schemas.closing import Closing
from schemas.vector import Vector
from stores import ledger
from stores.ledger import Ledger

NOWHERE = "http://127.0.0.1:9/webhooks"


def serve(config: SandboxConfig, answer_ms: int) -> None:
    """The sandbox, slowed down."""
    app = Sandbox(config).app()
    uvicorn.run(slowed(app, answer_ms), host=config.host, port=config.port, log_level="warning")


def slowed(app: ASGIApp, answer_ms: int) -> ASGIApp:
    """An application that waits before it handles a request."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(answer_ms / 1000)
        await app(scope, receive, send)

    return handle


def owe(url: str, count: int) -> Ledger:
    """A ledger with so many finalized invoices."""
    ledger.migrate(url)
    books = ledger.connect(url)
    books.apply_catalog(CATALOG, NOW)
    books.save_closing(Closing(MONTH, Vector({(1, 0): 1}), 1, "1", NOW))
    books.replace_drafts(MONTH, parts(count))
    books.record_reconciliation(MONTH, compared(count))
    books.finalize(MONTH, "seller", NOW, NOW)
    return books


def measure(folder: Path, config: SandboxConfig, count: int, at_once: int) -> None:
    """Collect a month, so many at once; print a line."""
    provider = SandboxProvider(f"http://{config.host}:{config.port}", ("secret",))
    # Each has a ledger of its own; the second's keys are known to the sandbox, which answers alike.
    with closing(owe(f"sqlite:///{folder / f'{at_once}.db'}", count)) as books, closing(provider):
        wall, cpu = time.perf_counter(), time.process_time()
        charged = collect(MONTH, books, provider, now_ms, print, at_once=at_once)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert charged == count  # noqa: S101 - or the figure is none
    print(f"{at_once:>7}{count:>10,}{wall:>9.1f}{cpu:>8.1f}{count / wall:>11.1f}", flush=True)


def await_answer(url: str) -> None:
    """Return when the sandbox is up."""
    while True:
        try:
            httpx.get(url, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return


def free_port() -> int:
    """A port that nobody listens on."""
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> None:
    """Start the sandbox, collect the same month twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--invoices", type=int, default=400)
    parser.add_argument("--answer-ms", type=int, default=300)
    parser.add_argument("--at-once", type=int, default=8)
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = SandboxConfig("127.0.0.1", free_port(), folder / "sandbox.db", NOWHERE, "secret")
        sandbox = get_context("spawn").Process(target=serve, args=(config, given.answer_ms))
        sandbox.start()
        await_answer(f"http://{config.host}:{config.port}/readyz")
        print(f"{'at once':>7}{'charges':>10}{'seconds':>9}{'CPU s':>8}{'charges/s':>11}")
        for at_once in (1, given.at_once):
            measure(folder, config, given.invoices, at_once)
        sandbox.terminate()
        sandbox.join()


if __name__ == "__main__":
    main()
