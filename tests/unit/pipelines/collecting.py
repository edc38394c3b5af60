"""A desk that collects: a ledger and a provider in memory, and what was reported."""

from dataclasses import dataclass, field

from pipelines.collection import collect
from pipelines.payment_webhooks import handle_webhooks
from pipelines.settling import settle
from schemas.payment import ProviderEvent
from tests.unit.payments.fakes import (
    MONTH,
    LedgerInMemory,
    ProviderInMemory,
    a_clock,
    an_invoice,
)


@dataclass
class Desk:
    """A ledger, a provider and what was reported."""

    ledger: LedgerInMemory = field(default_factory=LedgerInMemory)
    provider: ProviderInMemory = field(default_factory=ProviderInMemory)
    said: list[str] = field(default_factory=list)

    def collect(self, *, again: bool = False, at_once: int = 8) -> int:
        run = (MONTH, self.ledger, self.provider, a_clock, self.said.append)
        return collect(*run, again=again, at_once=at_once)

    def settle(self) -> list[str]:
        providers = {self.provider.name: self.provider}
        return [each.reason for each in settle(self.ledger, providers, a_clock)]

    def deliver(self, *events: ProviderEvent, limit: int = 100) -> int:
        for event in events:
            self.ledger.receive_webhook(event, 0)
        providers = {self.provider.name: self.provider}
        return handle_webhooks(self.ledger, providers, a_clock, self.said.append, limit)

    def states(self) -> dict[str, str]:
        return {i.tenant: i.state.value for i in self.ledger.invoices.values()}


def a_desk() -> Desk:
    """Two tenants who owe."""
    desk = Desk()
    desk.ledger.add(an_invoice("acme"), an_invoice("bird"))
    return desk
