"""Stripe as a rail: one PaymentIntent for one attempt, off-session, confirmed in the same call.

Stripe sees the amount and our ids; what is owed is decided by the ledger alone. A subscription's
`card` is written `cus_…/pm_…`: the customer and the saved payment method.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import stripe

from payments.keys import header_key
from payments.signatures import check_age
from payments.stripe_calls import asking, listing
from payments.stripe_reversals import reversals
from schemas.card import SavedMethod, saved_method
from schemas.errors import InvalidInput
from schemas.payment import (
    REFUSED,
    AttemptState,
    PaymentAttempt,
    ProviderEvent,
    ProviderPayment,
)
from schemas.ports import Clock
from schemas.reversal import Reversal

NAME = "stripe"
HEADER = "stripe-signature"
MISSING = "resource_missing"
"""Stripe's code for what it does not have."""

STATES = {
    "succeeded": AttemptState.SUCCEEDED,
    "canceled": AttemptState.CANCELED,
    "requires_payment_method": AttemptState.FAILED,
}
"""States of a PaymentIntent that decide it; all others are on the way."""


class _Object(msgspec.Struct, frozen=True):
    id: str
    payment_intent: str | None = None


class _Data(msgspec.Struct, frozen=True):
    object: _Object


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    data: _Data


class StripeProvider:
    """Charges saved payment methods through Stripe."""

    name = NAME

    def __init__(
        self, api_key: str, secrets: Sequence[str], clock: Clock, api_base: str | None = None
    ) -> None:
        stripe.enable_telemetry = False
        self._secrets = tuple(secrets)
        self._clock = clock
        self._client = stripe.StripeClient(
            api_key,
            max_network_retries=2,
            base_addresses={"api": api_base} if api_base else None,
        )

    def charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        """Ask for the money; a decline comes back as failed, and so does a card of another form.

        Raises:
            DependencyUnreachable: no answer, a fault of Stripe, or its rate limit.
            Conflict: the key was used for another charge.
            InvalidInput: the account is refused.
        """
        saved = saved_method(attempt.card)
        if saved is None:
            return _refused(attempt, _no_card(attempt))
        try:
            intent = self._create(attempt, saved)
        except stripe.CardError as error:
            return _declined(attempt, error)
        except stripe.InvalidRequestError as error:
            return _refused(attempt, str(error.user_message or error))
        return _payment(intent)

    def fetch(self, attempt: PaymentAttempt) -> ProviderPayment | None:
        """What became of the attempt: by its PaymentIntent, else among its customer's.

        The customer's list is current, which Stripe's search is not. Others may charge the same
        customer; their payments have no key of ours.

        Raises:
            DependencyUnreachable: as `charge`. InvalidInput: Stripe refuses the question.
        """
        try:
            intent = self._found(attempt)
        except stripe.InvalidRequestError as error:
            if error.code == MISSING:
                return None
            text = error.user_message or error
            raise InvalidInput(f"Stripe does not say what became of it: {text}") from error
        return None if intent is None else _payment(intent)

    def reversals(self, payment: str | None = None, since_ms: int = 0) -> Iterator[Reversal]:
        """Refunds and disputes, as `payments.stripe_reversals` reads them."""
        return reversals(self._client, payment, since_ms)

    def verify_webhook(self, headers: Mapping[str, str], raw: bytes) -> ProviderEvent:
        """Check a webhook by Stripe's library, and refuse one from the future as well."""
        header = headers.get(HEADER)
        if not any(_is_signed(raw, header, secret) for secret in self._secrets):
            raise InvalidInput(
                "the webhook is not signed by Stripe, or too old: "
                "check COUNTINGHOUSE_STRIPE_WEBHOOK_SECRET"
            )
        check_age(_signed_at(header or "") * 1000, self._clock())
        try:
            event = msgspec.json.decode(raw, type=_Event)
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"Stripe's webhook is not an event: {error}") from None
        subject = event.data.object
        return ProviderEvent(NAME, event.id, event.type, subject.payment_intent or subject.id, raw)

    def _found(self, attempt: PaymentAttempt) -> Any | None:
        if attempt.reference is not None and not attempt.is_refused:
            return asking(self._client.v1.payment_intents.retrieve, attempt.reference)
        saved = saved_method(attempt.card)
        own = self._of(saved.customer) if saved else iter(())
        return next((it for it in own if _key_of(it) == attempt.key), None)

    def _of(self, customer: str) -> Iterator[Any]:
        """A customer's PaymentIntents."""
        return listing(self._client.v1.payment_intents.list, {"customer": customer})

    def _create(self, attempt: PaymentAttempt, saved: SavedMethod) -> Any:
        params: Any = {
            "amount": attempt.amount_minor,
            "currency": attempt.currency.lower(),
            "customer": saved.customer,
            "payment_method": saved.method,
            "off_session": True,
            "confirm": True,
            "error_on_requires_action": True,
            "metadata": {"key": attempt.key, "invoice": attempt.invoice, "tenant": attempt.tenant},
        }
        options: Any = {"idempotency_key": header_key(attempt.key)}
        return asking(self._client.v1.payment_intents.create, params, options)


def _key_of(intent: Any) -> str | None:
    """Our key, where the payment is one of ours."""
    metadata = intent.metadata
    return metadata["key"] if metadata and "key" in metadata else None


def _no_card(attempt: PaymentAttempt) -> str:
    return (
        f"unknown_card: Stripe has no card ending in {attempt.card[-4:]!r}; run "
        f"`countinghouse tenants card {attempt.tenant} cus_…/pm_…`, then pay the month again"
    )


def _declined(attempt: PaymentAttempt, error: stripe.CardError) -> ProviderPayment:
    body: Any = error.json_body or {}
    detail = body.get("error", {})
    failure = detail.get("decline_code") or error.code or str(error.user_message)
    intent = detail.get("payment_intent")
    if intent is None:
        return _refused(attempt, failure)
    return ProviderPayment(
        intent["id"], AttemptState.FAILED, attempt.amount_minor, attempt.currency, failure
    )


def _refused(attempt: PaymentAttempt, failure: str) -> ProviderPayment:
    """A charge that Stripe made no object for."""
    return ProviderPayment(
        f"{REFUSED}{attempt.id}",
        AttemptState.FAILED,
        attempt.amount_minor,
        attempt.currency,
        failure,
    )


def _payment(intent: Any) -> ProviderPayment:
    error = intent.last_payment_error
    failure = (error.decline_code or error.code or error.message) if error else None
    state = STATES.get(intent.status, AttemptState.PROCESSING)
    reason = failure if state is AttemptState.FAILED else None
    return ProviderPayment(intent.id, state, intent.amount, intent.currency.upper(), reason)


def _is_signed(raw: bytes, header: str | None, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(raw, header, secret, tolerance=300)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _signed_at(header: str) -> int:
    """The time in a header that `verify_header` has accepted."""
    return int(next(part[2:] for part in header.split(",") if part.startswith("t=")))
