"""The sandbox provider's process: takes charges, decides them a moment later, sends webhooks.

It behaves as real providers do: idempotency keys hold for ever, outcomes come asynchronously by
signed webhooks that are repeated until they are taken, sometimes twice. Rules of cards are in
`payments.sandbox_cards`, what is remembered in `payments.sandbox_store`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from payments.sandbox import now_ms
from payments.sandbox_answers import body_of, refusal
from payments.sandbox_desk import Desk
from payments.sandbox_store import Charge, Delivery, SandboxStore
from payments.signatures import HEADER, sign
from schemas.errors import Conflict, InvalidInput
from schemas.payment import AttemptState, ProviderPayment

FIRST_RETRY_MS = 100
LAST_RETRY_MS = 10_000
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Where the sandbox listens, keeps its state and sends its webhooks."""

    host: str
    port: int
    database: Path
    webhook_url: str
    webhook_secret: str
    decides_after_ms: int = 50


class ChargeRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of `POST /charges`; the idempotency key is the header `Idempotency-Key`."""

    amount_minor: int
    currency: str
    card: str


class Sandbox:
    """The HTTP routes and the courier of one sandbox."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.store = SandboxStore(config.database)
        self._wake = asyncio.Event()

    def app(self) -> Starlette:
        """The ASGI application; its courier runs from start to shutdown."""
        routes = [
            Route("/charges", self.charge, methods=["POST"]),
            Route("/charges", self.find),
            Route("/charges/{reference}", self.show),
            Route("/readyz", self.ready),
            *Desk(self.store, self._wake.set).routes(),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def charge(self, request: Request) -> Response:
        """Accept a charge; 402 for a card that the sandbox does not know, 409 for a reused key."""
        key = request.headers.get("idempotency-key")
        if not key:
            return refusal(400, "the Idempotency-Key header is missing")
        try:
            body = await body_of(request, ChargeRequest)
        except InvalidInput as error:
            return refusal(422, str(error))
        if body.amount_minor <= 0:
            return refusal(422, "amount_minor must be positive")
        charge = Charge(key, body.amount_minor, body.currency, body.card)
        decide_ms = now_ms() + self.config.decides_after_ms
        try:
            payment = await run_in_threadpool(self.store.charge, charge, decide_ms)
        except Conflict as error:
            return refusal(409, str(error))
        self._wake.set()
        return _answer(payment, 402 if _is_refused(payment) else 201)

    async def find(self, request: Request) -> Response:
        """The payment of an idempotency key."""
        payment = self.store.by_key(request.query_params.get("key", ""))
        return _answer(payment) if payment else refusal(404, "no charge has this key")

    async def show(self, request: Request) -> Response:
        """A payment by its reference."""
        payment = self.store.by_reference(request.path_params["reference"])
        return _answer(payment) if payment else refusal(404, "no charge has this reference")

    async def ready(self, _request: Request) -> Response:
        """Ready when the file answers."""
        self.store.next_work_ms()
        return JSONResponse({"ready": True})

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        courier = asyncio.create_task(self._courier())
        try:
            yield
        finally:
            courier.cancel()
            await asyncio.gather(courier, return_exceptions=True)
            self.store.close()

    async def _courier(self) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                self._wake.clear()
                await run_in_threadpool(self.store.decide, now_ms())
                owed = await run_in_threadpool(self.store.owed, now_ms(), AT_ONCE)
                await asyncio.gather(*(self._deliver(client, delivery) for delivery in owed))
                await self._until_next_work()

    async def _until_next_work(self) -> None:
        due_ms = await run_in_threadpool(self.store.next_work_ms)
        seconds = None if due_ms is None else max(0, due_ms - now_ms()) / 1000
        try:
            # not wait_for: before Python 3.12 it may lose a cancellation, and shutdown would hang
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        body = _body(delivery)
        headers = {
            HEADER: sign(self.config.webhook_secret, body, now_ms()),
            "content-type": "application/json",
        }
        try:
            answer = await client.post(self.config.webhook_url, content=body, headers=headers)
            taken = answer.is_success
        except httpx.HTTPError:
            taken = False
        if taken:
            await run_in_threadpool(self.store.delivered, delivery)
        else:
            next_ms = now_ms() + retry_delay_ms(delivery.tries)
            await run_in_threadpool(self.store.not_delivered, delivery, next_ms)


def retry_delay_ms(tries: int) -> int:
    """Wait before the next try: 0.1 s, doubled each time, at most 10 s."""
    return int(min(LAST_RETRY_MS, FIRST_RETRY_MS << min(tries, 16)))


def run_sandbox(config: SandboxConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    app = Sandbox(config).app()
    uvicorn.run(
        app,
        host=config.host,
        port=config.port,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )


def _body(delivery: Delivery) -> bytes:
    event = {"id": delivery.event_id, "type": delivery.kind, "reference": delivery.reference}
    return msgspec.json.encode(event)


def _is_refused(payment: ProviderPayment) -> bool:
    return payment.state is AttemptState.FAILED and (payment.failure or "").startswith(
        "unknown_card"
    )


def _answer(payment: ProviderPayment, status: int = 200) -> Response:
    body: dict[str, Any] = {
        "reference": payment.reference,
        "state": payment.state.value,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "failure": payment.failure,
    }
    return JSONResponse(body, status)
