"""Asking what became of attempts: several at a time, each for itself, recorded by the caller."""

from dataclasses import dataclass, field
from threading import Barrier, get_ident

import pytest

from pipelines.collection import collect
from pipelines.settling import settle
from schemas.errors import BillingError, Conflict, DependencyUnreachable, InvalidInput
from schemas.payment import PaymentAttempt, ProviderPayment
from tests.unit.payments.fakes import (
    MONTH,
    ProviderInMemory,
    WatchedLedger,
    a_clock,
    an_invoice,
)

TENANTS = [f"tenant-{n:02}" for n in range(20)]


@dataclass
class AskedTogether(ProviderInMemory):
    """Answers when so many are asking: of one after the other none would be answered."""

    together: Barrier = field(default_factory=lambda: Barrier(1))

    def fetch(self, attempt: PaymentAttempt) -> ProviderPayment | None:
        self.together.wait(10)
        return super().fetch(attempt)


def asked(at_once: int) -> tuple[WatchedLedger, AskedTogether]:
    """Twenty charges that their provider has decided and nobody has recorded."""
    ledger, provider = WatchedLedger(), AskedTogether(together=Barrier(at_once))
    ledger.add(*map(an_invoice, TENANTS))
    collect(MONTH, ledger, provider, a_clock, print)
    ledger.writers.clear()
    provider.decide()
    return ledger, provider


def test_so_many_are_asked_about_at_the_same_time_and_written_by_one_thread() -> None:
    ledger, provider = asked(at_once=4)
    assert settle(ledger, {"sandbox": provider}, a_clock, at_once=4) == []
    assert {invoice.state.value for invoice in ledger.invoices.values()} == {"paid"}
    assert ledger.writers == {get_ident()}


@pytest.mark.parametrize("kind", [DependencyUnreachable, InvalidInput, Conflict])
def test_attempts_that_are_wrong_are_told_in_order_and_stop_none_beside_or_behind_them(
    kind: type[BillingError],
) -> None:
    ledger, provider = asked(at_once=4)
    wrong = ("tenant-01", "tenant-02", "tenant-18")
    provider.faults = {tenant: kind(f"{tenant} is not to be had") for tenant in wrong}
    unanswered = settle(ledger, {"sandbox": provider}, a_clock, at_once=4)
    assert [(each.attempt.tenant, each.reason) for each in unanswered] == [
        (tenant, f"{tenant} is not to be had") for tenant in wrong
    ]
    left = {invoice.tenant for invoice in ledger.invoices.values() if invoice.state != "paid"}
    assert left == set(wrong)


def test_one_whose_answer_cannot_be_recorded_stops_no_other() -> None:
    ledger, provider = asked(at_once=4)
    [key] = [each.key for each in ledger.attempts() if each.tenant == "tenant-00"]
    taken = provider.payments[key]
    provider.payments[key] = ProviderPayment(taken.reference, taken.state, 1, taken.currency)
    [told] = settle(ledger, {"sandbox": provider}, a_clock, at_once=4)
    assert told.reason == "tenant-00:2026-10:1: took 1 for 2736"
    assert [i.tenant for i in ledger.invoices.values() if i.state != "paid"] == ["tenant-00"]
