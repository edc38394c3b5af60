"""The HTTP application: health, metrics and the webhooks' door, wired once.

`build` takes its stores and clock, so that it can be tried with any; `run_api` opens real ones.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass

import uvicorn
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.inbox import Inbox, Rhythm
from api.problems import on_billing_error, on_http_error, problem
from api.webhooks import Webhooks
from payments.registry import Providers, ProviderSettings
from payments.sandbox import now_ms
from pipelines.settling import AT_ONCE
from schemas.errors import BillingError
from schemas.ledger_ports import PaymentLedger
from schemas.metrics import WEBHOOKS_FINISHED
from schemas.ports import Clock, PaymentProvider


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Where the API listens, its ledger's SQLAlchemy URL, and the providers it answers.

    `at_once`: about so many attempts a provider is asked at the same time.
    """

    host: str
    port: int
    ledger_url: str
    providers: ProviderSettings
    at_once: int = AT_ONCE


class _Health:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, ledger: PaymentLedger, inbox: Inbox, registry: CollectorRegistry) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._registry = registry
        finished = Gauge(WEBHOOKS_FINISHED.name, WEBHOOKS_FINISHED.meaning, registry=registry)
        finished.set_function(lambda: inbox.finished)

    async def alive(self, _request: Request) -> Response:
        """The process runs."""
        return JSONResponse({"alive": True})

    async def ready(self, _request: Request) -> Response:
        """The ledger answers, and the inbox's last round went through."""
        await run_in_threadpool(self._ledger.pending_webhooks, 1)
        if self._inbox.failure is not None:
            return problem(503, self._inbox.failure)
        return JSONResponse({"ready": True})

    async def metrics(self, _request: Request) -> Response:
        """Prometheus text."""
        return Response(generate_latest(self._registry), media_type="text/plain; version=0.0.4")


def build(
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock = now_ms,
    rhythm: Rhythm = Rhythm(),  # noqa: B008 - frozen
) -> Starlette:
    """The ASGI application; its inbox works from start to shutdown."""
    registry = CollectorRegistry()
    inbox = Inbox(ledger, providers, clock, rhythm)
    webhooks = Webhooks(ledger, providers, clock, inbox, registry)
    health = _Health(ledger, inbox, registry)
    routes = [
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", health.metrics),
        Route("/webhooks/{provider}", webhooks.receive, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        lifespan=_working(inbox),
        exception_handlers={BillingError: on_billing_error, HTTPException: on_http_error},
    )


def run_api(config: ApiConfig) -> None:
    """Serve until SIGTERM or SIGINT, which end it within seconds.

    Raises:
        DependencyUnreachable: the ledger cannot be opened.
    """
    from stores import ledger

    providers = Providers.from_settings(config.providers)
    with closing(ledger.connect(config.ledger_url)) as opened:
        uvicorn.run(
            build(opened, providers, rhythm=Rhythm(at_once=config.at_once)),
            host=config.host,
            port=config.port,
            log_level="warning",
            timeout_graceful_shutdown=3,
        )
    providers.close()


def _working(inbox: Inbox) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(inbox.run())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    return lifespan
