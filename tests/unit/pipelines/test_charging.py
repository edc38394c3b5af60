"""Charging several at a time: as many as are said, each stored before and recorded after, once."""

from dataclasses import dataclass, field
from threading import Barrier, Lock, get_ident
from time import sleep

import pytest

from pipelines.collection import collect
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment
from tests.unit.payments.fakes import (
    MONTH,
    Killed,
    LedgerInMemory,
    ProviderInMemory,
    WatchedLedger,
    a_clock,
    an_invoice,
)

TENANTS = [f"tenant-{n:02}" for n in range(20)]


@dataclass
class WatchedProvider(ProviderInMemory):
    """Notes how an attempt is stored when it is charged, and the calls that are under way."""

    ledger: LedgerInMemory = field(default_factory=LedgerInMemory)
    stored: list[AttemptState] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    dies_in: int = 0
    counting: Lock = field(default_factory=Lock)
    together: Barrier | None = None

    def charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        self.stored.append(self.ledger.rows[attempt.id].state)
        self._count(1)
        if self.together is not None:
            self.together.wait(10)
        sleep(0.001)
        self._count(-1)
        payment = super().charge(attempt)
        if len(self.calls) == self.dies_in:
            raise Killed
        return payment

    def _count(self, more: int) -> None:
        with self.counting:
            self.under_way += more
            self.most_under_way = max(self.most_under_way, self.under_way)


@pytest.fixture
def ledger() -> WatchedLedger:
    ledger = WatchedLedger()
    ledger.add(*map(an_invoice, TENANTS))
    return ledger


@pytest.fixture
def provider(ledger: WatchedLedger) -> WatchedProvider:
    return WatchedProvider(ledger=ledger)


def charge(ledger: WatchedLedger, provider: WatchedProvider, at_once: int = 4) -> int:
    return collect(MONTH, ledger, provider, a_clock, print, at_once=at_once)


def test_so_many_are_asked_for_at_the_same_time(
    ledger: WatchedLedger, provider: WatchedProvider
) -> None:
    provider.together = Barrier(4)  # each waits for three others: one after the other none ends
    assert charge(ledger, provider) == 20
    assert provider.most_under_way == 4


@pytest.mark.parametrize("at_once", [1, 3])
def test_never_more_and_each_stored_before_and_written_by_one_thread(
    ledger: WatchedLedger, provider: WatchedProvider, at_once: int
) -> None:
    assert charge(ledger, provider, at_once) == 20
    assert provider.most_under_way <= at_once
    assert provider.stored == [AttemptState.SUBMITTING] * 20
    assert ledger.writers == {get_ident()}
    assert {row.state for row in ledger.rows.values()} == {AttemptState.PROCESSING}


@pytest.mark.parametrize("dies_in", range(1, 21))
def test_killed_in_any_call_it_goes_on_and_charges_each_once(
    ledger: WatchedLedger, provider: WatchedProvider, dies_in: int
) -> None:
    provider.dies_in = dies_in
    with pytest.raises(Killed):
        charge(ledger, provider)
    left = ledger.attempts(None, (AttemptState.SUBMITTING,))
    assert 1 <= len(left) <= 5
    provider.dies_in = 0
    charge(ledger, provider)
    assert len(provider.payments) == len(ledger.rows) == len(provider.calls) == 20
    assert {row.state for row in ledger.rows.values()} == {AttemptState.PROCESSING}
    assert charge(ledger, provider) == 0
