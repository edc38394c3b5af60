"""Webhooks of payment providers: each only wakes us, and what it tells of is asked for.

States are fetched from the provider and move forward only, so a webhook may come twice, late or in
any order.
"""

from collections import Counter
from collections.abc import Mapping

from pipelines.charging import IN_A_ROW, Report
from pipelines.reversals import follow
from schemas.errors import BillingError, DependencyUnreachable
from schemas.ledger_ports import PaymentLedger
from schemas.payment import AttemptState, PaymentAttempt, ProviderEvent
from schemas.ports import Clock, PaymentProvider


def handle_webhooks(
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
    report: Report,
    limit: int = 100,
) -> int:
    """Act on the stored webhooks, the oldest of each provider first; how many were finished.

    One whose attempt's provider does not answer stays stored; after three unanswered in a row those
    behind stay as well. A fault that asking again does not mend is reported, and its webhook
    finished: `settle` asks about open attempts anyway. So is one that names none of our attempts:
    others may charge by the same account, and theirs would wait for one of ours that is never
    answered for.
    """
    finished = 0
    unanswered: Counter[str] = Counter()
    for event in ledger.pending_webhooks(limit):
        if unanswered[event.provider] >= IN_A_ROW:
            continue
        try:
            _act_on(event, ledger, providers, clock, report)
            unanswered[event.provider] = 0
        except DependencyUnreachable as error:
            unanswered[event.provider] += 1
            report(f"webhook {event.event_id}: {error}")
            if ledger.attempt_of(event.provider, event.reference) is not None:
                continue
        ledger.finish_webhook(event.provider, event.event_id)
        finished += 1
    return finished


def _act_on(
    event: ProviderEvent,
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
    report: Report,
) -> None:
    """Ask about the attempts that a webhook wakes. Raises DependencyUnreachable."""
    for attempt in _woken_by(event, ledger):
        try:
            _look_up(attempt, ledger, providers, clock)
        except DependencyUnreachable:
            raise
        except BillingError as error:
            report(f"webhook {event.event_id}: {attempt.id}: {error}")
    if event.tells_of_reversal:
        _follow(event, ledger, providers, clock, report)


def _follow(
    event: ProviderEvent,
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
    report: Report,
) -> None:
    """Ask what went back of the payment that a webhook points to, if it is one of ours."""
    attempt = ledger.attempt_of(event.provider, event.reference)
    if attempt is None or attempt.state is not AttemptState.SUCCEEDED:
        return
    try:
        follow(attempt, ledger, providers, clock)
    except DependencyUnreachable:
        raise
    except BillingError as error:
        report(f"webhook {event.event_id}: {error}")


def _woken_by(event: ProviderEvent, ledger: PaymentLedger) -> list[PaymentAttempt]:
    """The attempts to ask about.

    A payment we have no reference of belongs to an attempt that is still `submitting` (its answer
    is under way, or was lost in a crash), or to nothing of ours: so those are looked up by key.
    """
    attempt = ledger.attempt_of(event.provider, event.reference)
    if attempt is not None:
        return [] if attempt.state.is_final else [attempt]
    submitting = ledger.attempts(None, (AttemptState.SUBMITTING,))
    return [each for each in submitting if each.provider == event.provider]


def _look_up(
    attempt: PaymentAttempt,
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
) -> None:
    payment = providers[attempt.provider].fetch(attempt)
    if payment is not None:
        ledger.record_attempt(attempt.id, payment, clock())
