"""What payments of a month brought and what of it went back: asked for, compared, shown.

A month's payments are younger than its invoices, so what went back before was none of theirs.
"""

from typing import Any

from dagster_project import metadata
from dagster_project.resources import now_ms
from payments.registry import Providers
from pipelines.charging import Report
from pipelines.collection import received
from pipelines.reversals import follow_all, reversals_match
from schemas.errors import BillingError
from schemas.money import Money
from schemas.payment import AttemptState
from schemas.reversal import Reversal
from stores.ledger import Ledger


def ask(books: Ledger, providers: Providers, month: str, report: Report) -> None:
    """Ask the providers what went back since the month's invoices were issued, and record it."""
    issued_ms = books.first_issued_ms(month)
    if issued_ms is not None:
        follow_all(issued_ms, books, providers, now_ms, report)


def findings(books: Ledger, providers: Providers, month: str) -> list[str]:
    """Where the ledger and what providers say went back are not the same, or are not known."""
    attempts, recorded = books.attempts(month), books.reversals(month)
    since_ms = books.first_issued_ms(month) or 0
    unknown: list[str] = []
    told: dict[str, list[Reversal]] = {}
    for name in {each.provider for each in attempts if each.state is AttemptState.SUCCEEDED}:
        try:
            told[name] = list(providers[name].reversals(since_ms=since_ms))
        except BillingError as error:
            unknown.append(f"what went back at {name} is not known: {error}")
    return unknown + reversals_match(attempts, recorded, told)


def of_month(ledger: Ledger, month: str) -> dict[str, Any]:
    """What came in, net, by currency; and refunds and disputes, the largest amounts first."""
    tenants = {attempt.id: attempt.tenant for attempt in ledger.attempts(month)}
    found = [(tenants[name], it) for name, own in ledger.reversals(month).items() for it in own]
    rows: list[metadata.Row] = [
        {
            "tenant": tenant,
            "kind": str(it.kind),
            "state": str(it.state),
            "amount": str(Money(it.amount_minor, it.currency)),
            "provider's id": it.reference,
        }
        for tenant, it in sorted(found, key=lambda each: (-each[1].amount_minor, each[0]))
    ]
    return {**_net(ledger, month), "went back": metadata.table(rows)}


def _net(ledger: Ledger, month: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for currency, minor in received(ledger, month).items():
        name = f"received_{currency.lower()}"
        shown |= {name: str(Money(minor, currency)), f"{name}_minor": minor}
    return shown
