"""The door for providers: verify the raw bytes, store the event once, answer; work comes later."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.inbox import Inbox
from api.problems import problem
from schemas.errors import InvalidInput
from schemas.ledger_ports import PaymentLedger
from schemas.metrics import WEBHOOKS_RECEIVED
from schemas.ports import Clock, PaymentProvider

MAX_BODY_BYTES = 256 * 1024


class Webhooks:
    """`POST /webhooks/{provider}`."""

    def __init__(
        self,
        ledger: PaymentLedger,
        providers: Mapping[str, PaymentProvider],
        clock: Clock,
        inbox: Inbox,
        registry: CollectorRegistry,
    ) -> None:
        self._ledger = ledger
        self._providers = providers
        self._clock = clock
        self._inbox = inbox
        self._received = Counter(
            WEBHOOKS_RECEIVED.name,
            WEBHOOKS_RECEIVED.meaning,
            WEBHOOKS_RECEIVED.labels,
            registry=registry,
        )

    async def receive(self, request: Request) -> Response:
        """Answer 202 when stored, 200 when known already, 400 unsigned, 404 unknown provider."""
        provider = self._providers[request.path_params["provider"]]
        raw = await _body(request)
        if raw is None:
            self._count(provider, "too_big")
            return problem(413, f"a webhook has at most {MAX_BODY_BYTES} bytes")
        try:
            event = provider.verify_webhook(request.headers, raw)
        except InvalidInput:
            self._count(provider, "refused")
            raise
        stored = await run_in_threadpool(self._ledger.receive_webhook, event, self._clock())
        self._count(provider, "stored" if stored else "known")
        if stored:
            self._inbox.wake()
        return Response(status_code=202 if stored else 200)

    def _count(self, provider: PaymentProvider, outcome: str) -> None:
        self._received.labels(provider.name, outcome).inc()


async def _body(request: Request) -> bytes | None:
    """The raw body, or None as soon as it is too big."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
