"""What the relay tells of itself: `/readyz` and `/metrics` on the loopback address.

Ready means that every duty lately moved something or found nothing to move.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from schemas.errors import Conflict

PATIENCE_SECONDS = 5
"""Without progress for so long, the relay is not ready."""


class RelayHealth:
    """When each duty last made progress. Written by the duties' threads, read by the server's."""

    def __init__(self, *duties: str) -> None:
        self.registry = CollectorRegistry()
        self._progressed = dict.fromkeys(duties, time.monotonic())
        self._failures: dict[str, str] = {}
        self._sent = self._counter("sent", "Entitlements, events or rows sent.")
        self._failed = self._counter("failures", "Rounds that failed.")
        idle = Gauge(
            "countinghouse_relay_idle_seconds",
            "Time since the duty moved something or found nothing to move.",
            ["duty"],
            registry=self.registry,
        )
        for duty in duties:
            idle.labels(duty).set_function(partial(self._idle, duty))
            self._sent.labels(duty)
            self._failed.labels(duty)

    def progressed(self, duty: str, count: int) -> None:
        """A round sent so much, or found nothing to send."""
        self._progressed[duty] = time.monotonic()
        self._sent.labels(duty).inc(count)
        self._failures.pop(duty, None)

    def failed(self, duty: str, reason: str) -> bool:
        """A round failed; is that news?"""
        self._failed.labels(duty).inc()
        is_news = self._failures.get(duty) != reason
        self._failures[duty] = reason
        return is_news

    def problem(self) -> str | None:
        """Why the relay is not ready, or None."""
        late = {duty: self._idle(duty) for duty in self._progressed}
        told = [
            f"{duty}: no progress for {seconds:.0f} s {self._failures.get(duty, '')}".strip()
            for duty, seconds in late.items()
            if seconds > PATIENCE_SECONDS
        ]
        return "; ".join(told) or None

    def _idle(self, duty: str) -> float:
        return time.monotonic() - self._progressed[duty]

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"countinghouse_relay_{name}", meaning, ["duty"], registry=self.registry)


@contextmanager
def serving(health: RelayHealth, port: int) -> Iterator[None]:
    """Serve `/readyz` and `/metrics` while the block runs.

    Raises:
        Conflict: the port is in use.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = _answer(health, self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """A probe every second is no news."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise Conflict(
            f"port {port} cannot be used ({error.strerror}): "
            "set COUNTINGHOUSE_RELAY_PORT to a free one"
        ) from error
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def _answer(health: RelayHealth, path: str) -> tuple[int, bytes]:
    if path == "/metrics":
        return 200, generate_latest(health.registry)
    if path != "/readyz":
        return 404, b"try /readyz or /metrics\n"
    problem = health.problem()
    return (503, f"{problem}\n".encode()) if problem else (200, b"ready\n")
