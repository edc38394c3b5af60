"""Stripe's own library against an HTTP fake of its endpoints: charges, keys, failures, webhooks."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from payments import stripe_calls as ours
from payments.stripe import StripeProvider
from pipelines.collection import collect
from schemas.errors import Conflict, DependencyUnreachable, InvalidInput
from schemas.payment import AttemptState, PaymentAttempt
from schemas.subscription import GOOD_CARD
from tests.integration.payments.stripe_fake import StripeFake, running_stripe
from tests.unit.payments.fakes import MONTH, LedgerInMemory, a_clock, an_attempt, an_invoice

pytestmark = pytest.mark.integration


@pytest.fixture
def fake() -> Iterator[StripeFake]:
    with running_stripe() as fake:
        yield fake


@pytest.fixture
def provider(fake: StripeFake) -> StripeProvider:
    return StripeProvider("sk_test_1", ("new", "old"), now_ms, fake.url)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def paid_by(method: str, **changes: Any) -> PaymentAttempt:
    return an_attempt(card=f"cus_1/{method}", **{"provider": "stripe"} | changes)


def test_a_charge_is_one_call_off_session_and_confirmed_with_our_ids(
    fake: StripeFake, provider: StripeProvider
) -> None:
    payment = provider.charge(paid_by("pm_good"))
    assert (payment.reference, payment.state) == ("pi_1", AttemptState.SUCCEEDED)
    assert (payment.amount_minor, payment.currency) == (2736, "USD")
    [(_, path, form)] = fake.requests
    assert path == "/v1/payment_intents"
    assert (form["off_session"], form["confirm"], form["currency"]) == ("true", "true", "usd")
    assert form["metadata[invoice]"] == "acme:2026-10"


@pytest.mark.parametrize(
    ("method", "failure"),
    [("pm_declined", "insufficient_funds"), ("pm_3ds", "authentication_required")],
)
def test_a_decline_is_a_failed_payment_with_its_reason(
    provider: StripeProvider, method: str, failure: str
) -> None:
    payment = provider.charge(paid_by(method))
    assert (payment.reference, payment.state) == ("pi_1", AttemptState.FAILED)
    assert payment.failure == failure
    assert provider.fetch(paid_by(method, reference="pi_1")) == payment


def test_the_same_key_is_the_same_payment(fake: StripeFake, provider: StripeProvider) -> None:
    attempt = paid_by("pm_good")
    assert provider.charge(attempt) == provider.charge(attempt)
    assert len(fake.intents) == 1
    with pytest.raises(Conflict, match="another charge"):
        provider.charge(paid_by("pm_good", amount_minor=9900))


@pytest.mark.parametrize("tenant", ["acme#1", "日本", "😀", "two\nlines", "n" * 200, "日" * 200])
def test_whatever_a_tenant_is_called_its_key_is_one(
    fake: StripeFake, provider: StripeProvider, tenant: str
) -> None:
    named = {"key": f"sub_{tenant}:2026-10:1", "tenant": tenant}
    first, other = paid_by("pm_good", **named), paid_by("pm_good")
    assert provider.charge(first) == provider.charge(first) != provider.charge(other)
    assert provider.fetch(first) == provider.charge(first)
    assert len(fake.intents) == 2
    assert fake.intents["pi_1"]["metadata"]["tenant"] == tenant


def test_an_answer_lost_after_the_charge_is_found_by_our_key(
    fake: StripeFake, provider: StripeProvider
) -> None:
    attempt = paid_by("pm_good")
    assert provider.fetch(attempt) is None
    fake.trouble = [500, 500, 500]
    with pytest.raises(DependencyUnreachable):
        provider.charge(attempt)
    found = provider.fetch(attempt)
    assert found is not None
    assert (found.reference, found.state) == ("pi_1", AttemptState.SUCCEEDED)


def test_payments_of_others_with_the_same_customer_are_passed_over_page_by_page(
    fake: StripeFake, provider: StripeProvider
) -> None:
    fake.page = 2
    charged = provider.charge(paid_by("pm_good"))
    for _ in range(4):
        fake.pay_elsewhere("cus_1")
    assert provider.fetch(paid_by("pm_good")) == charged
    assert provider.fetch(paid_by("pm_good", key="another")) is None
    assert [path for _, path, _ in fake.requests].count("/v1/payment_intents") == 7


def test_a_later_page_that_fails_is_an_outcome_that_is_not_known(
    fake: StripeFake, provider: StripeProvider
) -> None:
    fake.page = 1
    fake.pay_elsewhere("cus_1")
    fake.pay_elsewhere("cus_1")
    fake.trouble = [200, 500, 500, 500]
    with pytest.raises(DependencyUnreachable, match="Stripe does not answer"):
        provider.fetch(paid_by("pm_good"))


def test_what_stripe_does_not_have_was_never_received(
    fake: StripeFake, provider: StripeProvider
) -> None:
    assert provider.fetch(paid_by("pm_good", reference="pi_9")) is None
    fake.unknown = {"cus_1"}
    assert provider.fetch(paid_by("pm_good")) is None
    refused = provider.charge(paid_by("pm_good"))
    assert (refused.state, refused.failure) == (
        AttemptState.FAILED,
        "No such customer: 'cus_1'",
    )


def test_a_question_that_stripe_refuses_is_named(
    fake: StripeFake, provider: StripeProvider
) -> None:
    fake.trouble = [400]
    with pytest.raises(InvalidInput, match=r"Stripe does not say .*: Received unknown"):
        provider.fetch(paid_by("pm_good"))


def test_a_short_fault_is_retried_by_the_library_with_the_same_key(
    fake: StripeFake, provider: StripeProvider
) -> None:
    fake.trouble = [503, 409]
    assert provider.charge(paid_by("pm_good")).state is AttemptState.SUCCEEDED
    assert len(fake.intents) == 1


def test_the_rate_limit_is_waited_for_and_given_up(
    fake: StripeFake, provider: StripeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "RATE_LIMIT_PAUSES", (0, 0))
    fake.trouble = [429, 429]
    assert provider.charge(paid_by("pm_good")).state is AttemptState.SUCCEEDED
    fake.trouble = [429, 429, 429]
    with pytest.raises(DependencyUnreachable, match="rate limit"):
        provider.fetch(paid_by("pm_good"))


def test_a_refused_charge_is_failed_though_stripe_made_no_object(provider: StripeProvider) -> None:
    refused = provider.charge(paid_by("pm_good", amount_minor=1))
    assert (refused.reference, refused.state) == ("refused:acme:2026-10:1", AttemptState.FAILED)
    assert refused.failure == "Amount must be at least $0.50 usd"


@pytest.mark.parametrize(("status", "remedy"), [(401, "STRIPE_API_KEY"), (403, "STRIPE_API_KEY")])
def test_a_refused_key_names_its_setting(
    fake: StripeFake, provider: StripeProvider, status: int, remedy: str
) -> None:
    fake.trouble = [status]
    with pytest.raises(InvalidInput, match=remedy):
        provider.charge(paid_by("pm_good"))


@pytest.mark.parametrize("card", [GOOD_CARD, "cus_1", "cus_1/", "cus_/pm_1", "pm_1/cus_1", ""])
def test_a_card_that_is_not_stripes_is_a_refused_charge_that_says_the_remedy(
    fake: StripeFake, provider: StripeProvider, card: str
) -> None:
    refused = provider.charge(an_attempt(card=card))
    assert (refused.reference, refused.state) == ("refused:acme:2026-10:1", AttemptState.FAILED)
    assert refused.failure == (
        f"unknown_card: Stripe has no card ending in {card[-4:]!r}; "
        "run `countinghouse tenants card acme cus_…/pm_…`, then pay the month again"
    )
    assert provider.fetch(an_attempt(card=card)) is None
    assert fake.requests == []


def test_who_had_no_card_of_stripes_is_charged_once_it_is_corrected(
    fake: StripeFake, provider: StripeProvider
) -> None:
    ledger = LedgerInMemory(cards={"acme": GOOD_CARD})
    ledger.add(an_invoice("acme"))
    left = ledger.open_attempt(an_invoice("acme"), "stripe", 0)
    assert left is not None
    collect(MONTH, ledger, provider, a_clock, print)
    assert ledger.rows[left.id].state is AttemptState.FAILED
    assert ledger.invoices["acme:2026-10"].state.value == "past_due"
    ledger.cards["acme"] = "cus_1/pm_good"
    assert collect(MONTH, ledger, provider, a_clock, print, again=True) == 1
    assert ledger.invoices["acme:2026-10"].state.value == "paid"
    assert len(fake.intents) == 1


def test_without_an_answer_the_outcome_is_unknown() -> None:
    gone = StripeProvider("sk_test_1", (), now_ms, "http://127.0.0.1:9")
    with pytest.raises(DependencyUnreachable, match="Stripe does not answer"):
        gone.fetch(paid_by("pm_good", reference="pi_1"))


EVENT = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
REFUND = {
    "id": "evt_2",
    "type": "charge.refunded",
    "data": {"object": {"id": "ch_1", "payment_intent": "pi_1"}},
}


def headers(body: str, secret: str, *, age_seconds: int = 0) -> dict[str, str]:
    at = int(time.time()) - age_seconds
    sign = stripe.WebhookSignature.generate_signature_header
    return {"stripe-signature": sign(body, secret, at)}


@pytest.mark.parametrize("event", [EVENT, REFUND])
@pytest.mark.parametrize("secret", ["old", "new"])
def test_a_signed_webhook_points_to_its_payment(
    provider: StripeProvider, event: dict[str, object], secret: str
) -> None:
    body = json.dumps(event)
    told = provider.verify_webhook(headers(body, secret), body.encode())
    assert (told.event_id, told.kind, told.reference) == (event["id"], event["type"], "pi_1")


@pytest.mark.parametrize(
    ("signed", "body"),
    [
        (headers(json.dumps(EVENT), "guess"), json.dumps(EVENT).encode()),
        (headers(json.dumps(EVENT), "old", age_seconds=3600), json.dumps(EVENT).encode()),
        (headers(json.dumps(EVENT), "old", age_seconds=-3600), json.dumps(EVENT).encode()),
        (headers("[]", "old"), b"[]"),
        (headers(json.dumps(EVENT), "old"), b"\xff"),
        ({"stripe-signature": "t=x"}, b"{}"),
        ({}, b"{}"),
    ],
    ids=["forged", "old", "future", "no event", "no text", "no form", "unsigned"],
)
def test_other_webhooks_are_refused(
    provider: StripeProvider, signed: dict[str, str], body: bytes
) -> None:
    with pytest.raises(InvalidInput):
        provider.verify_webhook(signed, body)
