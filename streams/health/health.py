"""`/readyz` and `/metrics` of a process of ours, in a thread of its own.

What ready means is the process's matter: progress, never merely being up.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest

from schemas.errors import Conflict

LOOPBACK = "127.0.0.1"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus 3 takes no figures that do not say what they are."""


class Health(Protocol):
    """What a process tells of itself."""

    registry: CollectorRegistry

    def problem(self) -> str | None:
        """Why it is not ready, or None."""


@contextmanager
def serving(health: Health, port: int, setting: str, host: str = LOOPBACK) -> Iterator[None]:
    """Serve while the block runs; `setting` is the variable that names the port.

    Raises:
        Conflict: the port is in use, or the host no address of this machine.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = _answer(health, self.path)
            self.send_response(status)
            self.send_header("Content-Type", METRICS_TYPE)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """A probe every second is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise _unusable(port, setting, host, error) from error
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def require_usable(port: int, setting: str, host: str = LOOPBACK) -> None:
    """Raise Conflict, as `serving` does, where somebody else's server would say it at length."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise _unusable(port, setting, host, error) from error


def _unusable(port: int, setting: str, host: str, error: OSError) -> Conflict:
    reason = str(error.strerror).partition(" (")[0]  # Python puts the address behind it
    return Conflict(
        f"port {port} of {host} cannot be used ({reason}): set {setting} to a free one, "
        "or COUNTINGHOUSE_HOST to an address of this machine"
    )


def _answer(health: Health, path: str) -> tuple[int, bytes]:
    if path == "/metrics":
        return 200, generate_latest(health.registry)
    if path != "/readyz":
        return 404, b"try /readyz or /metrics\n"
    problem = health.problem()
    return (503, f"{problem}\n".encode()) if problem else (200, b"ready\n")
