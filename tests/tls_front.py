"""TLS before a server that has none, for tests: each connection is passed on."""

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.certificates import Authority

CHUNK = 65_536
Told = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]]


@contextmanager
def tls_before(port: int, authority: Authority) -> Iterator[int]:
    """The port of 127.0.0.1 at which the server at a port is reached by TLS."""
    server = authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.key)
    told: Told = Future()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(_serve(port, context, told)))
        loop, stop, ours = told.result(10)
        yield ours
        loop.call_soon_threadsafe(stop.set)
        running.result()


async def _serve(port: int, context: ssl.SSLContext, told: Told) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
        finally:
            to_server.close()
            writer.close()

    stop = asyncio.Event()
    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    told.set_result((asyncio.get_running_loop(), stop, server.sockets[0].getsockname()[1]))
    await stop.wait()
    server.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK):
        target.write(data)
        await target.drain()
    target.close()
