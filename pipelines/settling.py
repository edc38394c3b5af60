"""Asking providers about payments without charging: several at a time, each for itself.

Only providers are called in threads; what they say is recorded by the caller, in order. One that
does not answer, or whose answer is wrong, is told at the end and stops no other.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pipelines.columns.ahead import side_by_side
from schemas.errors import BillingError
from schemas.ledger_ports import PaymentLedger
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment
from schemas.ports import Clock, PaymentProvider

T = TypeVar("T")

OPEN = (AttemptState.SUBMITTING, AttemptState.PROCESSING)
AT_ONCE = 8
"""Calls under way at the same time, where nobody says otherwise: 21 a second of 0.3 s each."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An attempt of which what was asked is not known, and why."""

    attempt: PaymentAttempt
    reason: str


def settle(
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
    month: str | None = None,
    *,
    at_once: int = AT_ONCE,
) -> list[Unanswered]:
    """Ask the providers what became of every attempt that is not final, and record it.

    It never charges. An attempt that its provider has never received stays `submitting`, for the
    next `collect` to continue. So many are asked about at the same time.
    """

    def fetch(attempt: PaymentAttempt) -> ProviderPayment | None:
        return providers[attempt.provider].fetch(attempt)

    def record(attempt: PaymentAttempt, payment: ProviderPayment | None) -> None:
        if payment is not None:
            ledger.record_attempt(attempt.id, payment, clock())

    return ask_each(ledger.attempts(month, OPEN), fetch, record, at_once)


def ask_each(
    attempts: Iterable[PaymentAttempt],
    ask: Callable[[PaymentAttempt], T],
    record: Callable[[PaymentAttempt, T], None],
    at_once: int,
) -> list[Unanswered]:
    """Ask about each, `at_once` of them side by side in threads, and record in their order.

    What is wrong with one is told of that one; those beside it and behind it go on.
    """
    unanswered = []
    for attempt, said in side_by_side(partial(_asked, ask), attempts, at_once):
        try:
            if isinstance(said, BillingError):
                raise said
            record(attempt, said)
        except BillingError as error:
            unanswered.append(Unanswered(attempt, str(error)))
    return unanswered


def _asked(
    ask: Callable[[PaymentAttempt], T], attempt: PaymentAttempt
) -> tuple[PaymentAttempt, T | BillingError]:
    try:
        return attempt, ask(attempt)
    except BillingError as error:
        return attempt, error
