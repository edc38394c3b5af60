"""The sandbox's memory: keys hold for ever, cards decide, webhooks are owed until taken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.sandbox_store import Charge, SandboxStore
from schemas.errors import Conflict
from schemas.payment import AttemptState
from schemas.subscription import GOOD_CARD


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SandboxStore]:
    store = SandboxStore(tmp_path / "new folder" / "sandbox.db")
    yield store
    store.close()


def a_charge(key: str = "k1", card: str = GOOD_CARD, amount_minor: int = 100) -> Charge:
    return Charge(key, amount_minor, "USD", card)


@pytest.mark.parametrize(
    ("card", "state", "failure"),
    [
        (GOOD_CARD, AttemptState.SUCCEEDED, None),
        ("4000000000000002", AttemptState.FAILED, "card_declined"),
        ("4000000000009995", AttemptState.FAILED, "insufficient_funds"),
        ("4000000000000069", AttemptState.FAILED, "expired_card"),
    ],
)
def test_the_card_decides_and_only_when_it_is_time(
    store: SandboxStore, card: str, state: AttemptState, failure: str | None
) -> None:
    accepted = store.charge(a_charge(card=card), decide_ms=50)
    assert accepted.state is AttemptState.PROCESSING
    assert (store.next_work_ms(), store.decide(49), store.decide(50)) == (50, 0, 1)
    decided = store.by_reference(accepted.reference)
    assert decided is not None
    assert (decided.state, decided.failure) == (state, failure)
    assert [d.kind for d in store.owed(50, 10)] == [f"payment.{state.value}"]


def test_an_unknown_card_is_refused_at_once_and_says_which_are_known(store: SandboxStore) -> None:
    refused = store.charge(a_charge(card="1111"), decide_ms=50)
    assert refused.state is AttemptState.FAILED
    assert refused.failure is not None
    assert GOOD_CARD in refused.failure
    assert store.next_work_ms() is None


def test_the_same_key_is_the_same_payment_for_ever(store: SandboxStore) -> None:
    first = store.charge(a_charge(), decide_ms=50)
    store.decide(50)
    again = store.charge(a_charge(), decide_ms=9_000)
    assert again.reference == first.reference
    assert again.state is AttemptState.SUCCEEDED
    assert store.decide(9_000) == 0


@pytest.mark.parametrize(
    "other",
    [
        a_charge(amount_minor=101),
        a_charge(card="4000000000000002"),
        Charge("k1", 100, "CNY", GOOD_CARD),
    ],
)
def test_a_key_cannot_be_used_for_another_charge(store: SandboxStore, other: Charge) -> None:
    store.charge(a_charge(), decide_ms=50)
    with pytest.raises(Conflict, match="another key"):
        store.charge(other, decide_ms=50)
    payment = store.by_key("k1")
    assert payment is not None
    assert (payment.amount_minor, payment.currency) == (100, "USD")


def test_a_webhook_is_owed_until_it_is_taken(store: SandboxStore) -> None:
    store.charge(a_charge(), decide_ms=0)
    store.decide(0)
    [owed] = store.owed(0, 10)
    store.not_delivered(owed, next_ms=100)
    assert store.owed(99, 10) == []
    [again] = store.owed(100, 10)
    assert (again.event_id, again.tries) == (owed.event_id, 1)
    store.delivered(again)
    assert store.next_work_ms() is None


def test_every_tenth_webhook_is_sent_twice_under_one_id(store: SandboxStore) -> None:
    for n in range(20):
        store.charge(a_charge(key=f"k{n}"), decide_ms=0)
    store.decide(0)
    sent: list[str] = []
    while owed := store.owed(0, 100):
        for delivery in owed:
            sent.append(delivery.event_id)
            store.delivered(delivery)
    assert len(sent) == 22
    assert sorted({event for event in sent if sent.count(event) == 2}) == ["evt_10", "evt_20"]


def test_everything_survives_the_process(tmp_path: Path) -> None:
    first = SandboxStore(tmp_path / "sandbox.db")
    payment = first.charge(a_charge(), decide_ms=50)
    first.close()
    second = SandboxStore(tmp_path / "sandbox.db")
    assert second.decide(50) == 1
    assert second.by_key("k1") is not None
    assert second.charge(a_charge(), decide_ms=0).reference == payment.reference
    second.close()
