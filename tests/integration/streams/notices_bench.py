"""Receivers of webhooks that behave as they are told, and workers that tell them."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from streams.worker.app import NotifyConfig, run
from tests.embedded import ROOT, free_ports
from tests.integration.streams.counters_bench import Town, Worker, config_of

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Post(NamedTuple):
    """A webhook as it came: its id, its type, its data, and the answer that was given."""

    id: str
    type: str
    data: dict[str, Any]
    status: int


@dataclass
class Site:
    """A receiver: `answer` says which status a webhook gets, by its id and how often it came.

    0 is no answer at all. `answered` is called when the answer has left.
    """

    url: str
    posts: list[Post]
    answer: Callable[[str, int], int]
    answered: Callable[[], None]

    def ids(self) -> list[str]:
        """Ids of those that were taken, in the order of their coming."""
        return [post.id for post in self.posts if post.status == 200]


@contextmanager
def a_site(
    answer: Callable[[str, int], int] = lambda _id, _times: 200,
    answered: Callable[[], None] = lambda: None,
) -> Iterator[Site]:
    """A receiver on a port of its own."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            message_id = self.headers["webhook-id"]
            verify(dict(self.headers), body)
            times = 1 + sum(post.id == message_id for post in site.posts)
            status = site.answer(message_id, times)
            message = json.loads(body)
            site.posts.append(Post(message_id, message["type"], message["data"], status))
            if not status:
                closing.wait()
                return
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()
            self.wfile.flush()
            site.answered()

        def log_message(self, *_: object) -> None:
            """Tests need no access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        site = Site(url, [], answer, answered)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield site
        finally:
            closing.set()
            server.shutdown()


def verify(headers: dict[str, str], body: bytes) -> None:
    """What a receiver does, written from the specification alone."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = f"{lower['webhook-id']}.{lower['webhook-timestamp']}.".encode() + body
    digest = hmac.new(KEY, signed, hashlib.sha256).digest()
    assert lower["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert abs(time.time() - int(lower["webhook-timestamp"])) < 300
    assert lower["content-type"] == "application/json"


class NotifyingWorker(Worker):
    """A worker of counters that tells receivers."""

    def __init__(self, town: Town, notify: NotifyConfig) -> None:
        self.port = free_ports(1)[0]
        self.log = town.home / f"worker-{self.port}.log"
        told = json.dumps(asdict(notify))
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __name__, town.servers, town.name, str(self.port), told],
                cwd=town.home,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )


@contextmanager
def notifying(town: Town, *sites: Site, **changes: float) -> Iterator[NotifyingWorker]:
    """A worker that tells these sites, ready; killed at the end if it still runs."""
    urls = tuple(site.url for site in sites)
    notify = NotifyConfig(urls=urls, secrets=(SECRET,), **changes)
    worker = NotifyingWorker(town, notify)
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.kill()


if __name__ == "__main__":
    _, servers, name, port, told = sys.argv
    plain = json.loads(told)
    notify = NotifyConfig(
        urls=tuple(plain["urls"]),
        secrets=tuple(plain["secrets"]),
        patience_s=plain["patience_s"],
        timeout_s=plain["timeout_s"],
    )
    run(config_of(servers, name, Path.cwd(), int(port)), notify)
