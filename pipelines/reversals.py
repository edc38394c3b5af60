"""Following what goes back of payments that had succeeded: refunds and disputes.

They are made at the provider, which is asked: about one payment where a webhook points to it, and
now and then about all of late, for webhooks that were lost. Nothing here moves money.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from pipelines.charging import Report
from schemas.errors import BillingError
from schemas.ledger_ports import PaymentLedger
from schemas.money import Money
from schemas.payment import AttemptState, PaymentAttempt
from schemas.ports import Clock, PaymentProvider
from schemas.reversal import Reversal, reversed_minor

LOOK_BACK_MS = 180 * 24 * 3600 * 1000
"""How old what may still change is at most: disputes are decided within some months."""


def follow(
    attempt: PaymentAttempt,
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
) -> None:
    """Ask what went back of a payment that has succeeded, and record it.

    Raises:
        DependencyUnreachable: the provider does not answer. BillingError: what it says cannot be
            recorded.
    """
    told = list(providers[attempt.provider].reversals(attempt.reference))
    ledger.record_reversals(attempt.id, told, clock())


def follow_all(
    since_ms: int,
    ledger: PaymentLedger,
    providers: Mapping[str, PaymentProvider],
    clock: Clock,
    report: Report,
) -> None:
    """Ask every provider what was made to go back since an instant, and record how it stands.

    Those through which nothing was paid since are left alone. A provider that does not answer, and
    a payment of which it says what cannot be, are reported; the others go on. What is known already
    is not written again.
    """
    known = {it for own in ledger.reversals().values() for it in own}
    for name in ledger.paid_through(since_ms):
        try:
            news = _news(providers[name], since_ms, known)
        except BillingError as error:
            report(f"what went back at {name} is not known: {error}")
            continue
        for payment, told in news.items():
            _record(name, payment, told, ledger, clock, report)


def reversals_match(
    attempts: Iterable[PaymentAttempt],
    recorded: Mapping[str, Collection[Reversal]],
    told: Mapping[str, Iterable[Reversal]],
) -> list[str]:
    """What providers say went back (of all, by provider) beside our record (by attempt)."""
    theirs: defaultdict[tuple[str, str | None], list[Reversal]] = defaultdict(list)
    for provider, reversals in told.items():
        for each in reversals:
            theirs[provider, each.payment].append(each)
    findings = []
    for attempt in attempts:
        ours = reversed_minor(recorded.get(attempt.id, ()))
        said = reversed_minor(theirs[attempt.provider, attempt.reference])
        if attempt.provider in told and ours != said:
            there, here = (Money(minor, attempt.currency) for minor in (said, ours))
            findings.append(
                f"{attempt.id}: {attempt.provider} says {there} went back, the ledger {here}"
            )
    return findings


def _news(
    provider: PaymentProvider, since_ms: int, known: Collection[Reversal]
) -> dict[str, list[Reversal]]:
    """By payment, what the ledger does not know as it stands now."""
    news: dict[str, list[Reversal]] = {}
    for each in provider.reversals(since_ms=since_ms):
        if each not in known:
            news.setdefault(each.payment, []).append(each)
    return news


def _record(
    provider: str,
    payment: str,
    told: list[Reversal],
    ledger: PaymentLedger,
    clock: Clock,
    report: Report,
) -> None:
    """Record what went back of one payment; nothing where it is none of ours, or not paid yet."""
    attempt = ledger.attempt_of(provider, payment)
    if attempt is None or attempt.state is not AttemptState.SUCCEEDED:
        return
    try:
        ledger.record_reversals(attempt.id, told, clock())
    except BillingError as error:
        report(str(error))
