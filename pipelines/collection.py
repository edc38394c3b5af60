"""Turning finalized invoices into payments: one attempt is one row is one key, whatever crashes.

An attempt is stored as `submitting` before its provider is called, so that a run killed at any
point is continued with the same key, never with a second charge. Numbering and documents are not
done here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipelines.charging import Charging, Report
from pipelines.settling import AT_ONCE, OPEN
from schemas.errors import DependencyUnreachable
from schemas.invoice import Invoice, InvoiceState
from schemas.ledger_ports import PaymentLedger
from schemas.money import Money
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment
from schemas.ports import Clock, PaymentProvider
from schemas.reversal import reversed_minor

Pause = Callable[[], None]
"""Waits a moment; the caller decides how long."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a month's attempts came to; `open` may still pay."""

    succeeded: int
    failed: int
    open: int


def collect(
    month: str,
    ledger: PaymentLedger,
    provider: PaymentProvider,
    clock: Clock,
    report: Report,
    *,
    others: Iterable[PaymentProvider] = (),
    again: bool = False,
    at_once: int = AT_ONCE,
) -> int:
    """Ask for the money of each finalized invoice of the month that nothing was asked for.

    Returns how many charges were made now.

    Attempts left by a killed run are continued first, with their keys; those of `others`, to whom
    no new ones go, by them, and one of them that does not answer is reported and stops nobody.
    `again` also asks anew where an attempt has failed. A call without an answer leaves its attempt
    `submitting`. What is wrong with one invoice, such as one voided meanwhile, is reported, and the
    rest goes on. The provider is called `at_once` times at the same time, the ledger by the caller
    alone.

    Raises:
        DependencyUnreachable: the provider did not answer three times in a row.
    """
    left = ledger.attempts(month, (AttemptState.SUBMITTING,))
    elsewhere = [Charging(ledger, other, clock, report, at_once) for other in others]
    charged = sum(_resumed(each, left, report) for each in elsewhere)
    charging = Charging(ledger, provider, clock, report, at_once)
    charged += charging.resume(left)
    due = ledger.collectable(month)
    unpaid = (each for each in due if again or each.state is not InvoiceState.PAST_DUE)
    return charged + charging.begin(unpaid)


def _resumed(charging: Charging, attempts: Iterable[PaymentAttempt], report: Report) -> int:
    try:
        return charging.resume(attempts)
    except DependencyUnreachable as error:
        report(f"what was left with that provider waits for the next run: {error}")
        return 0


def await_outcomes(ledger: PaymentLedger, month: str, pause: Pause, rounds: int) -> int:
    """Wait, at most so many pauses, until webhooks have decided the month's attempts.

    Returns how many are still open.
    """
    for _ in range(rounds):
        if not ledger.attempts(month, OPEN):
            return 0
        pause()
    return len(ledger.attempts(month, OPEN))


def summarize(ledger: PaymentLedger, month: str) -> Collected:
    """Count the month's attempts by how they stand."""
    states = [attempt.state for attempt in ledger.attempts(month)]
    return Collected(
        succeeded=states.count(AttemptState.SUCCEEDED),
        failed=states.count(AttemptState.FAILED) + states.count(AttemptState.CANCELED),
        open=sum(state in OPEN for state in states),
    )


def received(ledger: PaymentLedger, month: str) -> dict[str, int]:
    """What payments of the month brought, net of what went back, by currency in minor units."""
    gone = ledger.reversals(month)
    net: Counter[str] = Counter()
    for attempt in ledger.attempts(month, (AttemptState.SUCCEEDED,)):
        net[attempt.currency] += attempt.amount_minor - reversed_minor(gone.get(attempt.id, ()))
    return dict(sorted(net.items()))


def payments_match(
    invoices: Iterable[Invoice],
    attempts: Iterable[PaymentAttempt],
    payments: Mapping[str, ProviderPayment | None],
) -> list[str]:
    """What was paid beside what is owed, and what providers say (by attempt) beside our record."""
    attempts = list(attempts)
    paid: Counter[str] = Counter()
    for attempt in attempts:
        if attempt.state is AttemptState.SUCCEEDED:
            paid[attempt.invoice] += attempt.amount_minor
    findings = [
        f"{invoice.id}: {invoice.state.value}, due {invoice.total_minor}, paid {paid[invoice.id]}"
        for invoice in invoices
        if paid[invoice.id] != _paid_by_state(invoice)
    ]
    by_id = {attempt.id: attempt for attempt in attempts}
    differing = (_disagreement(by_id[name], payment) for name, payment in payments.items())
    return findings + [finding for finding in differing if finding]


def _paid_by_state(invoice: Invoice) -> int:
    return invoice.amount_due_minor if invoice.state is InvoiceState.PAID else 0


def _disagreement(attempt: PaymentAttempt, payment: ProviderPayment | None) -> str | None:
    """How a provider contradicts a decided attempt; one that is open may well lag behind."""
    if payment is None:
        missing = attempt.state is not AttemptState.SUBMITTING and not attempt.is_refused
        return f"{attempt.id}: {attempt.provider} has never heard of it" if missing else None
    ours, theirs = _money_of(attempt), _money_of(payment)
    if ours != theirs or (attempt.state.is_final and attempt.state is not payment.state):
        return (
            f"{attempt.id}: {attempt.provider} says {payment.state.value} {theirs}, "
            f"the ledger {attempt.state.value} {ours}"
        )
    return None


def _money_of(payment: PaymentAttempt | ProviderPayment) -> Money:
    return Money(payment.amount_minor, payment.currency)
