"""What Stripe says of refunds and disputes, by its own library over HTTP."""

from collections.abc import Iterator

import pytest

from payments import stripe_calls
from payments.stripe import StripeProvider
from schemas.errors import DependencyUnreachable, InvalidInput
from schemas.reversal import Reversal, ReversalKind, ReversalState
from tests.integration.payments.stripe_fake import CREATED, StripeFake, running_stripe
from tests.unit.payments.fakes import a_clock

pytestmark = pytest.mark.integration


@pytest.fixture
def fake() -> Iterator[StripeFake]:
    with running_stripe() as fake:
        yield fake


@pytest.fixture
def provider(fake: StripeFake) -> StripeProvider:
    return StripeProvider("sk_test_1", (), a_clock, fake.url)


def test_refunds_and_disputes_of_a_payment_are_told_with_their_money(
    fake: StripeFake, provider: StripeProvider
) -> None:
    fake.refund("pi_1", 500)
    fake.refund("pi_2", 700)
    fake.dispute("pi_1", 2236)
    refunded, disputed = provider.reversals("pi_1")
    assert refunded == Reversal(
        payment="pi_1",
        reference="re_1",
        kind=ReversalKind.REFUND,
        state=ReversalState.SETTLED,
        amount_minor=500,
        currency="USD",
        at_ms=CREATED * 1000,
    )
    assert (disputed.kind, disputed.reference, disputed.amount_minor) == ("dispute", "du_1", 2236)
    assert disputed.state is ReversalState.PENDING
    assert {it.payment for it in provider.reversals()} == {"pi_1", "pi_2"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("succeeded", "settled"),
        ("failed", "undone"),
        ("canceled", "undone"),
    ],
)
def test_states_of_a_refund(
    fake: StripeFake, provider: StripeProvider, status: str, state: str
) -> None:
    fake.refund("pi_1", 500, status=status)
    assert [it.state for it in provider.reversals("pi_1")] == [state]


@pytest.mark.parametrize(
    ("status", "states"),
    [
        ("warning_needs_response", []),
        ("warning_under_review", []),
        ("warning_closed", []),
        ("needs_response", ["pending"]),
        ("under_review", ["pending"]),
        ("appeal_needs_response", ["pending"]),
        ("appeal_under_review", ["pending"]),
        ("lost", ["settled"]),
        ("won", ["undone"]),
        ("prevented", ["undone"]),
        ("a status of tomorrow", ["pending"]),
    ],
)
def test_states_of_a_dispute_and_inquiries_take_nothing(
    fake: StripeFake, provider: StripeProvider, status: str, states: list[str]
) -> None:
    fake.dispute("pi_1", 500, status)
    assert [it.state.value for it in provider.reversals("pi_1")] == states


def test_all_since_an_instant_are_read_page_by_page_without_those_of_no_intent(
    fake: StripeFake, provider: StripeProvider
) -> None:
    fake.page = 2
    for n in range(5):
        fake.refund("pi_1", 100 + n, created=CREATED + n)
    fake.refund(None, 9, created=CREATED + 9)  # type: ignore[arg-type]
    told = list(provider.reversals(since_ms=(CREATED + 1) * 1000))
    assert [it.amount_minor for it in told] == [104, 103, 102, 101]


def test_what_cannot_be_asked_is_named(
    fake: StripeFake, provider: StripeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_calls, "RATE_LIMIT_PAUSES", ())
    for status, error in ((400, InvalidInput), (403, InvalidInput), (429, DependencyUnreachable)):
        fake.trouble = [status]
        with pytest.raises(error):
            list(provider.reversals("pi_1"))
