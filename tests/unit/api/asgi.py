"""An HTTP client of an ASGI application in this process: no socket, the lifespan included."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette


class AppClient:
    """Calls the application on its event loop, which runs in a thread beside the test."""

    def __init__(self, portal: BlockingPortal, http: httpx.AsyncClient) -> None:
        self._portal = portal
        self._http = http

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request and its answer."""
        return self._portal.call(partial(self._http.request, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **options)


@contextmanager
def serving(app: Starlette) -> Iterator[AppClient]:
    """The application from its start to its shutdown."""
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
        portal.wrap_async_context_manager(http),
    ):
        yield AppClient(portal, http)
