"""Collecting an invoice: attempts, their states, and the events that providers send.

One attempt is one row is one idempotency key; it is stored as `submitting` before the call.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.reversal import TELLING

REFUSED = "refused:"
"""How the reference of a charge begins that was refused at once, and is no object of a provider."""


class AttemptState(StrEnum):
    """States only move forward; the last three are final."""

    SUBMITTING = "submitting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Can nothing change this attempt any more?"""
        return self in (AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.CANCELED)


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """One try to collect an invoice with one provider. `key` is the idempotency key of the call."""

    id: str
    invoice: str
    tenant: str
    provider: str
    amount_minor: int
    currency: str
    card: str
    key: str
    state: AttemptState = AttemptState.SUBMITTING
    reference: str | None = None
    failure: str | None = None

    @property
    def is_refused(self) -> bool:
        """Was it refused at once? Its provider has nothing of it then."""
        return (self.reference or "").startswith(REFUSED)


@dataclass(frozen=True, slots=True)
class ProviderPayment:
    """What the provider says of a payment: the truth that a webhook only points to."""

    reference: str
    state: AttemptState
    amount_minor: int
    currency: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """A verified webhook: it wakes us, the state is fetched."""

    provider: str
    event_id: str
    kind: str
    reference: str
    raw: bytes

    @property
    def tells_of_reversal(self) -> bool:
        """Does it point to a payment of which something went back, or came back?"""
        return self.kind.startswith(TELLING)


def attempt_id(invoice: str, ordinal: int) -> str:
    """The natural key of the n-th attempt at an invoice, from 1."""
    return f"{invoice}:{ordinal}"
