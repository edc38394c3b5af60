"""A webhook is stored once and stays pending until it is finished."""

from schemas.payment import ProviderEvent
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import NOW


def an_event(event_id: str, provider: str = "sandbox") -> ProviderEvent:
    return ProviderEvent(provider, event_id, "payment.updated", "pay_1", b'{"id": 1}')


def test_the_same_event_is_stored_once(ledger: Ledger) -> None:
    assert ledger.receive_webhook(an_event("evt_1"), NOW)
    assert not ledger.receive_webhook(an_event("evt_1"), NOW + 1)
    assert ledger.receive_webhook(an_event("evt_1", provider="stripe"), NOW)
    assert ledger.pending_webhooks(10) == [an_event("evt_1"), an_event("evt_1", "stripe")]


def test_pending_ones_come_oldest_first_up_to_the_limit(ledger: Ledger) -> None:
    for n in (3, 1, 2):
        ledger.receive_webhook(an_event(f"evt_{n}"), NOW)
    assert [event.event_id for event in ledger.pending_webhooks(2)] == ["evt_3", "evt_1"]


def test_those_of_one_provider_keep_no_others_back(ledger: Ledger) -> None:
    for n in (1, 2, 3):
        ledger.receive_webhook(an_event(f"evt_{n}"), NOW)
    ledger.receive_webhook(an_event("evt_1", "stripe"), NOW)
    ledger.finish_webhook("sandbox", "evt_1")
    pending = [(event.provider, event.event_id) for event in ledger.pending_webhooks(1)]
    assert pending == [("sandbox", "evt_2"), ("stripe", "evt_1")]


def test_a_finished_one_is_not_pending_and_not_taken_again(ledger: Ledger) -> None:
    ledger.receive_webhook(an_event("evt_1"), NOW)
    for _ in range(2):
        ledger.finish_webhook("sandbox", "evt_1")
        assert ledger.pending_webhooks(10) == []
    assert not ledger.receive_webhook(an_event("evt_1"), NOW)
    assert ledger.pending_webhooks(10) == []
