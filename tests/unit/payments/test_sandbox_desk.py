"""The sandbox's refunds and disputes: what goes back, what comes back, and what is told of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payments.sandbox_server import Sandbox, SandboxConfig
from payments.sandbox_store import Charge
from schemas.subscription import GOOD_CARD
from tests.unit.api.asgi import AppClient, serving


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    config = SandboxConfig("", 0, tmp_path / "sandbox.db", "http://127.0.0.1:9/", "secret", 60_000)
    return Sandbox(config)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[AppClient]:
    with serving(sandbox.app()) as client:
        yield client


@pytest.fixture
def paid(sandbox: Sandbox) -> str:
    """A payment of 100 that has succeeded."""
    charged = sandbox.store.charge(Charge("k", 100, "USD", GOOD_CARD), decide_ms=0)
    sandbox.store.decide(0)
    return charged.reference


def ask(client: AppClient, path: str, **body: Any) -> tuple[int, Any]:
    answer = client.post(path, json=body)
    return answer.status_code, answer.json()


def told(sandbox: Sandbox) -> list[str]:
    """Webhooks that are owed, in the order of what they tell: nobody takes them here."""
    owed = sandbox.store.owed(10**15, 100)
    return [delivery.kind for delivery in sorted(owed, key=lambda each: each.ordinal)]


def test_parts_of_a_payment_are_refunded_until_nothing_is_left(
    sandbox: Sandbox, client: AppClient, paid: str
) -> None:
    status, first = ask(client, f"/charges/{paid}/refunds", amount_minor=30)
    assert (status, first["kind"], first["state"]) == (201, "refund", "settled")
    assert (first["payment"], first["amount_minor"], first["currency"]) == (paid, 30, "USD")
    assert ask(client, f"/charges/{paid}/refunds", amount_minor=71)[0] == 409
    status, rest = ask(client, f"/charges/{paid}/refunds")
    assert (status, rest["amount_minor"]) == (201, 70)
    assert ask(client, f"/charges/{paid}/refunds")[0] == 409
    assert client.get("/reversals", params={"payment": paid}).json() == [first, rest]
    assert told(sandbox) == ["payment.succeeded", "refund.settled", "refund.settled"]


def test_a_refund_that_fails_may_be_made_again(client: AppClient, paid: str) -> None:
    _, refund = ask(client, f"/charges/{paid}/refunds")
    status, undone = ask(client, f"/reversals/{refund['reference']}", state="undone")
    assert (status, undone["state"]) == (200, "undone")
    status, again = ask(client, f"/charges/{paid}/refunds")
    assert (status, again["amount_minor"]) == (201, 100)
    assert again["reference"] != refund["reference"]


@pytest.mark.parametrize("end", ["settled", "undone"])
def test_a_dispute_is_open_until_it_is_lost_or_won(
    sandbox: Sandbox, client: AppClient, paid: str, end: str
) -> None:
    _, dispute = ask(client, f"/charges/{paid}/disputes", amount_minor=40)
    assert (dispute["kind"], dispute["state"]) == ("dispute", "pending")
    assert ask(client, f"/reversals/{dispute['reference']}", state=end)[1]["state"] == end
    assert ask(client, f"/reversals/{dispute['reference']}", state="pending")[0] == 409
    assert told(sandbox)[1:] == ["dispute.pending", f"dispute.{end}"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/charges/none/refunds", {}, 404),
        ("/charges/{}/refunds", {"amount_minor": 0}, 409),
        ("/charges/{}/refunds", {"amount_minor": -1}, 409),
        ("/charges/{}/refunds", {"amount_minor": 1.5}, 422),
        ("/charges/{}/disputes", {"surplus": 1}, 422),
        ("/reversals/none", {"state": "undone"}, 404),
        ("/reversals/none", {"state": "gone"}, 422),
        ("/reversals/none", {}, 422),
    ],
)
def test_what_cannot_be_is_refused_by_its_reason(
    client: AppClient, paid: str, path: str, body: dict[str, Any], status: int
) -> None:
    assert ask(client, path.format(paid), **body)[0] == status


def test_nothing_goes_back_of_what_was_not_paid(sandbox: Sandbox, client: AppClient) -> None:
    charged = sandbox.store.charge(Charge("k", 100, "USD", GOOD_CARD), decide_ms=10**15)
    assert ask(client, f"/charges/{charged.reference}/refunds")[0] == 409


def test_what_was_made_since_an_instant_is_listed(client: AppClient, paid: str) -> None:
    _, made = ask(client, f"/charges/{paid}/refunds")
    at_ms = made["at_ms"]
    assert client.get("/reversals", params={"since_ms": at_ms}).json() == [made]
    assert client.get("/reversals", params={"since_ms": at_ms + 1}).json() == []
    assert client.get("/reversals", params={"payment": "other"}).json() == []
    assert client.get("/reversals", params={"since_ms": "x"}).status_code == 422
