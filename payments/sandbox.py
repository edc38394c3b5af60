"""The sandbox as a provider: an HTTP client of the process in `payments.sandbox_server`."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx
import msgspec

from payments.keys import header_key
from payments.signatures import HEADER, verify
from schemas.errors import Conflict, DependencyUnreachable, InvalidInput
from schemas.payment import AttemptState, PaymentAttempt, ProviderEvent, ProviderPayment
from schemas.ports import Clock
from schemas.reversal import Reversal

T = TypeVar("T")
NAME = "sandbox"


def now_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


class PaymentBody(msgspec.Struct, frozen=True):
    """A payment as the sandbox writes it."""

    reference: str
    state: AttemptState
    amount_minor: int
    currency: str
    failure: str | None = None


class EventBody(msgspec.Struct, frozen=True):
    """A webhook as the sandbox writes it."""

    id: str
    type: str
    reference: str


class SandboxProvider:
    """Charges the sandbox's cards over HTTP."""

    name = NAME

    def __init__(
        self, url: str, secrets: Sequence[str], clock: Clock = now_ms, timeout_seconds: int = 10
    ) -> None:
        self._url = url
        self._secrets = tuple(secrets)
        self._clock = clock
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        """Ask for the money; an unknown card comes back as failed.

        Raises:
            DependencyUnreachable: no answer, so it is unknown whether the charge was taken.
            Conflict: the key was used for another charge.
        """
        body = {
            "amount_minor": attempt.amount_minor,
            "currency": attempt.currency,
            "card": attempt.card,
        }
        headers = {"idempotency-key": header_key(attempt.key)}
        answer = self._send("POST", "/charges", json=body, headers=headers)
        if answer.status_code == 409:
            raise Conflict(f"sandbox, attempt {attempt.id}: {_error_of(answer)}")
        return self._payment(answer, accepted=(200, 201, 402))

    def fetch(self, attempt: PaymentAttempt) -> ProviderPayment | None:
        """What became of the attempt, or None if the sandbox never received it."""
        if attempt.reference is not None:
            answer = self._send("GET", f"/charges/{attempt.reference}")
        else:
            answer = self._send("GET", "/charges", params={"key": header_key(attempt.key)})
        return None if answer.status_code == 404 else self._payment(answer, accepted=(200,))

    def reversals(self, payment: str | None = None, since_ms: int = 0) -> list[Reversal]:
        """Refunds and disputes of a payment, or of all."""
        named = {} if payment is None else {"payment": payment}
        answer = self._send("GET", "/reversals", params={**named, "since_ms": since_ms})
        return self._decoded(answer, list[Reversal], accepted=(200,))

    def verify_webhook(self, headers: Mapping[str, str], raw: bytes) -> ProviderEvent:
        """Check a webhook's signature and age, and read what it points to."""
        verify(self._secrets, headers.get(HEADER), raw, self._clock())
        try:
            event = msgspec.json.decode(raw, type=EventBody)
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"the sandbox's webhook is not an event: {error}") from None
        return ProviderEvent(NAME, event.id, event.type, event.reference, raw)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise DependencyUnreachable(
                f"the payment sandbox at {self._url} does not answer ({error}): is it up?"
            ) from error
        if answer.is_server_error:
            raise DependencyUnreachable(
                f"the payment sandbox at {self._url} failed with {answer.status_code}: see its log"
            )
        return answer

    def _payment(self, answer: httpx.Response, accepted: tuple[int, ...]) -> ProviderPayment:
        body = self._decoded(answer, PaymentBody, accepted)
        return ProviderPayment(
            body.reference, body.state, body.amount_minor, body.currency, body.failure
        )

    def _decoded(self, answer: httpx.Response, form: type[T], accepted: tuple[int, ...]) -> T:
        if answer.status_code not in accepted:
            raise InvalidInput(f"the payment sandbox at {self._url} refused: {_error_of(answer)}")
        try:
            return msgspec.json.decode(answer.content, type=form)
        except msgspec.MsgspecError as error:
            raise DependencyUnreachable(
                f"{self._url} is not the payment sandbox: {error}"
            ) from None


def _error_of(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:200]}"
