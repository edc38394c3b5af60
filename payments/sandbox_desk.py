"""The sandbox's desk: refunds and disputes, made by hand as at a real provider's dashboard."""

from collections.abc import Callable

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from payments.sandbox import now_ms
from payments.sandbox_answers import body_of, refusal
from payments.sandbox_reversals import SandboxReversals
from schemas.errors import BillingError, Conflict, InvalidInput, NotFound
from schemas.reversal import Reversal, ReversalKind, ReversalState

STATUSES: dict[type[BillingError], int] = {NotFound: 404, Conflict: 409, InvalidInput: 422}


class ReversalRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of `POST /charges/{reference}/refunds` and `…/disputes`; without an amount it is all."""

    amount_minor: int | None = None


class MoveRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of `POST /reversals/{reference}`: a dispute is settled when lost, undone when won."""

    state: ReversalState


class Desk:
    """Its routes; `wake` is called when a webhook is owed."""

    def __init__(self, store: SandboxReversals, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    def routes(self) -> list[Route]:
        """What the sandbox serves of this."""
        return [
            Route("/charges/{reference}/refunds", self.refund, methods=["POST"]),
            Route("/charges/{reference}/disputes", self.dispute, methods=["POST"]),
            Route("/reversals", self.find),
            Route("/reversals/{reference}", self.move, methods=["POST"]),
        ]

    async def refund(self, request: Request) -> Response:
        """Refund a payment; 409 where less of it is left."""
        return await self._reverse(request, ReversalKind.REFUND)

    async def dispute(self, request: Request) -> Response:
        """Dispute a payment as its customer."""
        return await self._reverse(request, ReversalKind.DISPUTE)

    async def move(self, request: Request) -> Response:
        """Lose or win a dispute, or let a refund fail."""
        reference = request.path_params["reference"]
        try:
            state = (await body_of(request, MoveRequest)).state
            moved = await run_in_threadpool(self._store.move_reversal, reference, state, now_ms())
        except BillingError as error:
            return _refused(error)
        return self._changed(moved, 200)

    async def find(self, request: Request) -> Response:
        """Reversals of a payment (`?payment=`) or of all, since an instant (`?since_ms=`)."""
        payment, since = request.query_params.get("payment"), request.query_params.get("since_ms")
        if since is not None and not (since.isascii() and since.isdigit()):
            return refusal(422, "since_ms is not an instant in milliseconds")
        return _json(self._store.reversals(payment, int(since or 0)))

    async def _reverse(self, request: Request, kind: ReversalKind) -> Response:
        reference = request.path_params["reference"]
        try:
            amount_minor = (await body_of(request, ReversalRequest)).amount_minor
            asked = (reference, kind, amount_minor, now_ms())
            made = await run_in_threadpool(self._store.reverse, *asked)
        except BillingError as error:
            return _refused(error)
        return self._changed(made, 201)

    def _changed(self, reversal: Reversal, status: int) -> Response:
        self._wake()
        return _json(reversal, status)


def _refused(error: BillingError) -> Response:
    return refusal(STATUSES.get(type(error), 400), str(error))


def _json(value: Reversal | list[Reversal], status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
