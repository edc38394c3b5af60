"""The sandbox over real HTTP, the API's door, the ledger: from a charge to a paid invoice."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from payments.sandbox import SandboxProvider
from payments.sandbox_store import SandboxStore
from payments.signatures import HEADER, sign
from pipelines.collection import collect
from pipelines.settling import settle
from schemas.errors import DependencyUnreachable
from schemas.payment import AttemptState, PaymentAttempt, ProviderPayment
from schemas.subscription import GOOD_CARD
from stores import ledger as ledgers
from tests.integration.payments.processes import (
    SECRET,
    SPAWN,
    Street,
    a_street,
    eventually,
)

pytestmark = pytest.mark.integration

DECLINED = "4000000000000002"


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    with a_street(tmp_path) as street:
        yield street


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def collect_october(street: Street) -> None:
    collect("2026-10", street.ledger, street.providers["sandbox"], now_ms, print)


def payments_of(folder: Path) -> int:
    store = SandboxStore(folder / "sandbox.db")
    try:
        return int(store._db.execute("SELECT count(*) FROM payments").fetchone()[0])
    finally:
        store.close()


def test_webhooks_pay_the_good_cards_and_decline_the_others(street: Street) -> None:
    cards = {f"tenant-{n:02}": DECLINED if n % 7 == 3 else GOOD_CARD for n in range(24)}
    street.api.start()
    street.owe(cards)
    collect_october(street)
    eventually(lambda: not street.ledger.attempts("2026-10", (AttemptState.PROCESSING,)))
    expected = Counter("past_due" if card == DECLINED else "paid" for card in cards.values())
    assert Counter(street.states().values()) == expected
    failures = {each.failure for each in street.ledger.attempts("2026-10") if each.failure}
    assert failures == {"card_declined"}


def test_whatever_tenants_are_called_they_are_charged_once(street: Street, tmp_path: Path) -> None:
    odd = ("acme#1", "日本", "😀", "two\nlines", "tab\t", " space ", "n" * 200, "日" * 200)
    names = sorted(["acme", *odd])
    street.owe(dict.fromkeys(names, GOOD_CARD))
    for _ in range(2):
        collect_october(street)
        eventually(lambda: not settle(street.ledger, street.providers, now_ms) and _is_over(street))
    assert street.states() == dict.fromkeys(names, "paid")
    assert payments_of(tmp_path) == len(names)


def _is_over(street: Street) -> bool:
    return not street.ledger.attempts("2026-10", (AttemptState.PROCESSING,))


def test_killed_between_charge_and_record_it_goes_on_with_the_same_charge(
    street: Street, tmp_path: Path
) -> None:
    street.owe({"acme": GOOD_CARD, "bird": GOOD_CARD})
    killed = SPAWN.Process(target=collect_and_die, args=(street.ledger_url, street.sandbox.url))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    left = street.ledger.attempts("2026-10")
    assert {(each.state, each.reference) for each in left} == {(AttemptState.SUBMITTING, None)}
    street.api.start()
    collect_october(street)
    eventually(lambda: set(street.states().values()) == {"paid"})
    assert payments_of(tmp_path) == 2
    collect_october(street)
    assert len(street.ledger.attempts("2026-10")) == 2


def test_a_sandbox_killed_before_it_decides_goes_on_after_its_restart(street: Street) -> None:
    street.owe({"acme": GOOD_CARD})
    collect_october(street)
    street.sandbox.kill()
    assert "does not answer" in settle(street.ledger, street.providers, now_ms)[0].reason
    street.api.start()
    street.sandbox.start()
    eventually(lambda: street.states() == {"acme": "paid"})


def test_webhooks_wait_for_an_api_that_is_down_and_survive_its_kill(street: Street) -> None:
    street.owe({"acme": GOOD_CARD})
    street.api.start()
    street.api.kill()
    collect_october(street)
    street.api.start()
    eventually(lambda: street.states() == {"acme": "paid"})


def test_without_an_api_asking_the_provider_is_enough(street: Street) -> None:
    street.owe({"acme": GOOD_CARD})
    collect_october(street)

    def asked() -> bool:
        settle(street.ledger, street.providers, now_ms)
        return street.states() == {"acme": "paid"}

    eventually(asked)


def test_the_door_refuses_what_is_not_signed_and_stops_within_five_seconds(street: Street) -> None:
    street.api.start()
    body = b'{"id":"evt_1","type":"payment.succeeded","reference":"pay_1"}'
    url = f"{street.api.url}/webhooks/sandbox"
    forged = httpx.post(url, content=body, headers={HEADER: sign("guess", body, now_ms())})
    late = httpx.post(url, content=body, headers={HEADER: sign(SECRET, body, now_ms() - 301_000)})
    assert (forged.status_code, late.status_code) == (400, 400)
    signed = {HEADER: sign(SECRET, body, now_ms())}
    assert [httpx.post(url, content=body, headers=signed).status_code for _ in (1, 2)] == [202, 200]
    street.api.stop(seconds=5)


class DyingProvider(SandboxProvider):
    """Charges, and is killed before anybody hears of it."""

    def charge(self, attempt: PaymentAttempt) -> ProviderPayment:
        super().charge(attempt)
        os.kill(os.getpid(), signal.SIGKILL)
        raise DependencyUnreachable("unreachable")


def collect_and_die(ledger_url: str, sandbox_url: str) -> None:
    ledger = ledgers.connect(ledger_url)
    collect("2026-10", ledger, DyingProvider(sandbox_url, (SECRET,)), now_ms, print)
