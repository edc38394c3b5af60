"""The HTTP door: webhooks are stored once and answered, errors are problem documents."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from time import monotonic, sleep

import pytest

from api.app import build
from api.inbox import Rhythm
from api.webhooks import MAX_BODY_BYTES
from payments.registry import Providers
from payments.signatures import HEADER, sign, verify
from schemas.errors import DependencyUnreachable
from schemas.payment import ProviderEvent
from tests.unit.api.asgi import AppClient, serving
from tests.unit.payments.fakes import (
    MONTH,
    NOW_MS,
    LedgerInMemory,
    ProviderInMemory,
    a_clock,
    an_invoice,
)

QUIET = Rhythm(look=60, ask=10**10, look_back=10**10)


@dataclass
class SigningProvider(ProviderInMemory):
    """A provider whose webhooks are the reference in plain text, signed."""

    def verify_webhook(self, headers: Mapping[str, str], raw: bytes) -> ProviderEvent:
        verify(["secret"], headers.get(HEADER), raw, NOW_MS)
        return ProviderEvent(self.name, f"evt-{raw.decode()}", "payment", raw.decode(), raw)


@dataclass
class Door:
    """The API on a ledger in memory."""

    ledger: LedgerInMemory = field(default_factory=LedgerInMemory)
    provider: SigningProvider = field(default_factory=SigningProvider)
    rhythm: Rhythm = QUIET

    def client(self) -> AbstractContextManager[AppClient]:
        providers = Providers({self.provider.name: self.provider})
        return serving(build(self.ledger, providers, a_clock, self.rhythm))


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def client(door: Door) -> Iterator[AppClient]:
    with door.client() as client:
        yield client


def deliver(client: AppClient, body: bytes) -> int:
    headers = {HEADER: sign("secret", body, NOW_MS)}
    return client.post("/webhooks/sandbox", content=body, headers=headers).status_code


def eventually(is_so: Callable[[], bool], seconds: int = 5) -> None:
    deadline = monotonic() + seconds
    while not is_so():
        assert monotonic() < deadline
        sleep(0.005)


def test_a_webhook_is_stored_and_acted_on_without_waiting_for_a_poll(
    door: Door, client: AppClient
) -> None:
    door.ledger.add(an_invoice())
    attempt = door.ledger.open_attempt(an_invoice(), "sandbox", 0)
    assert attempt is not None
    payment = door.provider.charge(attempt)
    door.ledger.record_attempt(attempt.id, payment, 0)
    door.provider.decide()
    assert deliver(client, payment.reference.encode()) == 202
    eventually(lambda: door.ledger.invoices[f"acme:{MONTH}"].state == "paid")
    eventually(lambda: door.ledger.pending_webhooks(1) == [])


def test_a_repeated_webhook_is_taken_and_not_stored_again(door: Door, client: AppClient) -> None:
    assert [deliver(client, b"pay_1"), deliver(client, b"pay_1")] == [202, 200]
    assert len(door.ledger.inbox) == 1


@pytest.mark.parametrize(
    ("body", "secret", "to", "status", "said"),
    [
        (b"pay_1", "wrong", "sandbox", 400, "signature is wrong"),
        (b"pay_1", "secret", "alipay", 404, "configured: sandbox"),
        (b"x" * (MAX_BODY_BYTES + 1), "secret", "sandbox", 413, "at most 262144 bytes"),
    ],
)
def test_what_is_refused_is_a_problem_document_and_not_stored(
    door: Door, client: AppClient, body: bytes, secret: str, to: str, status: int, said: str
) -> None:
    headers = {HEADER: sign(secret, body, NOW_MS)}
    answer = client.post(f"/webhooks/{to}", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert door.ledger.inbox == {}


def test_the_biggest_admitted_body_is_taken(client: AppClient) -> None:
    assert deliver(client, b"x" * MAX_BODY_BYTES) == 202


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/webhooks/sandbox", 405)]
)
def test_other_paths_and_methods_are_problem_documents(
    client: AppClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_what_was_stored_before_a_crash_is_acted_on_at_start(door: Door) -> None:
    door.ledger.receive_webhook(ProviderEvent("sandbox", "evt", "payment", "pay_x", b""), 0)
    with door.client():
        eventually(lambda: door.ledger.pending_webhooks(1) == [])


def test_what_went_back_is_asked_for_at_start_though_no_webhook_came() -> None:
    door = Door(rhythm=Rhythm(look=60, ask=10**10))
    door.ledger.add(an_invoice())
    attempt = door.ledger.open_attempt(an_invoice(), "sandbox", 0)
    assert attempt is not None
    door.provider.charge(attempt)
    door.provider.decide()
    door.ledger.record_attempt(attempt.id, door.provider.payments[attempt.key], 0)
    door.provider.take_back(f"acme:{MONTH}", "re_1")
    with door.client():
        eventually(lambda: door.ledger.reversals() != {})


def test_it_is_not_ready_while_the_ledger_does_not_answer(door: Door, client: AppClient) -> None:
    def gone(limit: int) -> list[ProviderEvent]:
        raise DependencyUnreachable("the ledger does not answer")

    assert client.get("/readyz").status_code == 200
    door.ledger.pending_webhooks = gone  # type: ignore[method-assign]
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the ledger does not answer")
    assert client.get("/healthz").status_code == 200


def test_metrics_tell_what_came(client: AppClient) -> None:
    deliver(client, b"pay_1")
    deliver(client, b"pay_1")
    text = client.get("/metrics").text
    assert 'countinghouse_webhooks_received_total{outcome="stored",provider="sandbox"} 1.0' in text
    assert 'countinghouse_webhooks_received_total{outcome="known",provider="sandbox"} 1.0' in text
