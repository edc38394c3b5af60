"""Billing events are marked one by one, never passed by a cursor."""

from stores.ledger import BillingEvent, Ledger
from stores.ledger.connection import writing
from stores.ledger.outbox import announce
from tests.unit.stores.ledger.builders import NOW


def announce_in(ledger: Ledger, *ids: str) -> None:
    events = [BillingEvent(each, "payment.failed", "acme", NOW, "{}") for each in ids]
    with writing(ledger._engine) as connection:
        announce(connection, events)


def test_the_same_event_is_one_row(ledger: Ledger) -> None:
    announce_in(ledger, "a", "b")
    announce_in(ledger, "b", "c")
    assert [event.id for event in ledger.behind_events(10)] == ["a", "b", "c"]


def test_an_event_left_out_of_a_mark_comes_again(ledger: Ledger) -> None:
    announce_in(ledger, "a", "b", "c")
    ledger.mark_events_published(["a", "c"])
    assert [event.id for event in ledger.behind_events(10)] == ["b"]
    ledger.mark_events_published([])
    ledger.mark_events_published(["b", "a"])
    assert ledger.behind_events(10) == []


def test_a_limit_cuts_the_batch(ledger: Ledger) -> None:
    announce_in(ledger, "a", "b", "c")
    assert [event.id for event in ledger.behind_events(2)] == ["a", "b"]
