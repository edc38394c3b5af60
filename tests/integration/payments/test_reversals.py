"""Refunds and disputes over the whole way: a provider, signed webhooks, the API's door, a ledger.

With COUNTINGHOUSE_TEST_POSTGRES the ledger of Stripe's tests is on that server.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from api.app import build
from api.inbox import Rhythm
from payments.stripe import StripeProvider
from pipelines.collection import collect, received
from pipelines.payment_webhooks import handle_webhooks
from pipelines.reversals import follow_all
from schemas.subscription import GOOD_CARD
from stores import ledger as ledgers
from stores.ledger import Ledger
from tests.integration.payments.processes import SPAWN, Street, a_street, eventually, owe
from tests.integration.payments.stripe_fake import CREATED, StripeFake, running_stripe
from tests.unit.api.asgi import AppClient, serving
from tests.unit.stores.ledger.conftest import empty_url  # noqa: F401 - a fixture, for `url`

pytestmark = pytest.mark.integration

MONTH, SECRET = "2026-10", "whsec_of_the_tests"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def reversed_of(ledger: Ledger) -> dict[str, int]:
    """What went back by tenant."""
    return {each.tenant: each.reversed_minor for each in ledger.invoices(MONTH)}


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    """A sandbox and an API of processes of their own; acme and bird have paid 27.36."""
    with a_street(tmp_path) as street:
        street.api.start()
        street.owe({"acme": GOOD_CARD, "bird": GOOD_CARD})
        collect(MONTH, street.ledger, street.providers["sandbox"], now_ms, print)
        eventually(lambda: set(street.states().values()) == {"paid"})
        yield street


def at_desk(street: Street, path: str, **body: Any) -> str:
    """Something done at the sandbox's desk; the id of the refund or dispute."""
    answer = httpx.post(f"{street.sandbox.url}{path}", json=body, trust_env=False)
    assert answer.is_success, answer.text
    return str(answer.json()["reference"])


def payment_of(ledger: Ledger, tenant: str) -> str:
    [attempt] = [each for each in ledger.attempts(MONTH) if each.tenant == tenant]
    return attempt.reference or ""


def test_at_the_sandbox_parts_go_back_and_come_back_though_the_api_is_killed(
    street: Street,
) -> None:
    acme, bird = (payment_of(street.ledger, tenant) for tenant in ("acme", "bird"))
    refund = at_desk(street, f"/charges/{acme}/refunds", amount_minor=1000)
    at_desk(street, f"/charges/{acme}/refunds", amount_minor=36)
    dispute = at_desk(street, f"/charges/{bird}/disputes")
    eventually(lambda: reversed_of(street.ledger) == {"acme": 1036, "bird": 2736})
    street.api.kill()
    at_desk(street, f"/reversals/{refund}", state="undone")
    at_desk(street, f"/reversals/{dispute}", state="undone")
    street.api.start()
    eventually(lambda: reversed_of(street.ledger) == {"acme": 36, "bird": 0})
    assert street.states() == {"acme": "paid", "bird": "paid"}
    assert received(street.ledger, MONTH) == {"USD": 2 * 2736 - 36}
    again = collect(MONTH, street.ledger, street.providers["sandbox"], now_ms, print, again=True)
    assert again == 0
    assert len(street.ledger.attempts(MONTH)) == 2


def test_without_webhooks_asking_is_enough(street: Street) -> None:
    street.api.kill()
    at_desk(street, f"/charges/{payment_of(street.ledger, 'acme')}/refunds", amount_minor=500)
    for _ in range(2):
        follow_all(0, street.ledger, street.providers, now_ms, print)
        assert reversed_of(street.ledger) == {"acme": 500, "bird": 0}
    assert len(street.ledger.reversals()) == 1


@pytest.fixture
def fake() -> Iterator[StripeFake]:
    with running_stripe() as fake:
        yield fake


@pytest.fixture
def url(empty_url: str) -> str:  # noqa: F811 - the fixture
    ledgers.migrate(empty_url)
    return empty_url


@pytest.fixture
def ledger(url: str, fake: StripeFake) -> Iterator[Ledger]:
    """A ledger in which acme and bird have paid 27.36 through Stripe."""
    ledger = ledgers.connect(url)
    owe(ledger, {"acme": "cus_1/pm_good", "bird": "cus_2/pm_good"})
    assert collect(MONTH, ledger, provider_of(fake), now_ms, print) == 2
    yield ledger
    ledger.close()


@contextmanager
def a_door(ledger: Ledger, fake: StripeFake) -> Iterator[AppClient]:
    """The API, which asks for nothing that no webhook tells."""
    quiet = Rhythm(look=60, ask=10**10, look_back=10**10)
    with serving(build(ledger, {"stripe": provider_of(fake)}, now_ms, quiet)) as client:
        yield client


@pytest.fixture
def door(ledger: Ledger, fake: StripeFake) -> Iterator[AppClient]:
    with a_door(ledger, fake) as client:
        yield client


def provider_of(fake: StripeFake) -> StripeProvider:
    return StripeProvider("sk_test_1", (SECRET,), now_ms, fake.url)


def tell(door: AppClient, kind: str, kept: dict[str, Any], name: str) -> int:
    """A webhook of Stripe's, signed, with its object as it stands."""
    event = {"id": f"evt_{kind}_{name}", "type": kind, "data": {"object": kept}}
    body = json.dumps(event)
    signed = stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
    headers = {"stripe-signature": signed}
    return door.post("/webhooks/stripe", content=body.encode(), headers=headers).status_code


def test_stripes_webhooks_are_followed_once_in_any_order(
    ledger: Ledger, fake: StripeFake, door: AppClient
) -> None:
    acme, bird = payment_of(ledger, "acme"), payment_of(ledger, "bird")
    parts = [fake.refund(acme, 1000), fake.refund(acme, 36)]
    for name in reversed(parts):
        assert tell(door, "refund.created", fake.refunds[name], name) == 202
    assert tell(door, "refund.created", fake.refunds[parts[0]], parts[0]) == 200
    dispute = fake.dispute(bird, 2736, "warning_needs_response")
    tell(door, "charge.dispute.created", fake.disputes[dispute], dispute)
    eventually(lambda: reversed_of(ledger) == {"acme": 1036, "bird": 0})
    fake.disputes[dispute]["status"] = "needs_response"
    tell(door, "charge.dispute.funds_withdrawn", fake.disputes[dispute], dispute)
    eventually(lambda: reversed_of(ledger) == {"acme": 1036, "bird": 2736})
    fake.refunds[parts[0]]["status"] = "failed"
    fake.disputes[dispute]["status"] = "won"
    tell(door, "refund.failed", fake.refunds[parts[0]], parts[0])
    tell(door, "charge.dispute.closed", fake.disputes[dispute], dispute)
    eventually(lambda: reversed_of(ledger) == {"acme": 36, "bird": 0})
    assert [invoice.state for invoice in ledger.invoices(MONTH)] == ["paid", "paid"]
    assert ledger.collectable(MONTH) == []
    assert len(fake.intents) == 2


def test_killed_between_the_record_and_the_end_of_its_webhook_it_counts_once(
    url: str, ledger: Ledger, fake: StripeFake
) -> None:
    refund = fake.refund(payment_of(ledger, "acme"), 1000)
    killed = SPAWN.Process(target=record_and_die, args=(url, fake.url, fake.refunds[refund]))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    assert reversed_of(ledger) == {"acme": 1000, "bird": 0}
    assert len(ledger.pending_webhooks(10)) == 1
    with a_door(ledger, fake):
        eventually(lambda: ledger.pending_webhooks(10) == [])
    assert reversed_of(ledger) == {"acme": 1000, "bird": 0}
    [event] = [it for it in ledger.behind_events(100) if it.type == "payment.reversal"]
    assert event.id == f"payment.reversal:stripe:{refund}:settled"


def test_what_no_webhook_told_is_asked_for_and_strangers_are_passed_over(
    ledger: Ledger, fake: StripeFake
) -> None:
    fake.refund(payment_of(ledger, "bird"), 200, created=CREATED)
    fake.refund("pi_of_others", 900)
    providers = {"stripe": provider_of(fake)}
    for _ in range(2):
        follow_all(0, ledger, providers, now_ms, print)
        assert reversed_of(ledger) == {"acme": 0, "bird": 200}
    assert len(ledger.reversals()) == 1


def record_and_die(url: str, stripe_url: str, refund: dict[str, Any]) -> None:
    """Store a webhook, act on it, and be killed before it is marked as done."""
    ledger = ledgers.connect(url)
    provider = StripeProvider("sk_test_1", (SECRET,), now_ms, stripe_url)
    body = json.dumps({"id": "evt_1", "type": "refund.created", "data": {"object": refund}})
    signed = stripe.WebhookSignature.generate_signature_header(body, SECRET, int(time.time()))
    event = provider.verify_webhook({"stripe-signature": signed}, body.encode())
    ledger.receive_webhook(event, now_ms())

    def die(*_: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    ledger.finish_webhook = die  # type: ignore[assignment,method-assign]
    handle_webhooks(ledger, {"stripe": provider}, now_ms, print)
