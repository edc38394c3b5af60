"""Webhooks of providers: each is acted on once, and what waits keeps nobody else back."""

from dataclasses import replace

import pytest

from schemas.errors import (
    BillingError,
    Conflict,
    DependencyUnreachable,
    InvalidInput,
    NotFound,
)
from schemas.payment import ProviderEvent
from tests.unit.payments.fakes import (
    Killed,
    an_invoice,
)
from tests.unit.pipelines.collecting import Desk, a_desk


@pytest.fixture
def desk() -> Desk:
    return a_desk()


def test_a_webhook_before_its_answer_was_recorded_finds_the_attempt_by_key(desk: Desk) -> None:
    desk.provider.trouble = Killed()
    with pytest.raises(Killed):
        desk.collect(at_once=1)
    assert desk.deliver(*desk.provider.decide()) == 1
    assert desk.states()["acme"] == "paid"


def test_a_webhook_of_nothing_of_ours_is_finished(desk: Desk) -> None:
    stranger = ProviderEvent("sandbox", "evt_x", "payment.succeeded", "pay_other", b"")
    assert desk.deliver(stranger) == 1
    assert desk.ledger.pending_webhooks(10) == []


def test_webhooks_wait_while_their_provider_is_down_and_others_go_on(desk: Desk) -> None:
    desk.collect()
    events = desk.provider.decide()
    desk.provider.is_down = True
    other = ProviderEvent("stripe", "evt_1", "payment_intent.succeeded", "pi_1", b"")
    assert desk.deliver(*events, other) == 1
    desk.provider.is_down = False
    assert desk.deliver() == 2
    assert desk.states() == {"acme": "paid", "bird": "paid"}


@pytest.mark.parametrize("kind", [InvalidInput, Conflict, NotFound])
def test_a_webhook_of_a_lost_answer_finds_its_attempt_beside_one_that_is_wrong(
    desk: Desk, kind: type[BillingError]
) -> None:
    for tenant in ("acme", "bird"):
        attempt = desk.ledger.open_attempt(an_invoice(tenant), "sandbox", 0)
        assert attempt is not None
        desk.provider.charge(attempt)
    desk.provider.faults = {"acme": kind("acme is not to be had")}
    [_, of_bird] = desk.provider.decide()
    assert desk.deliver(of_bird) == 1
    assert desk.states() == {"acme": "finalized", "bird": "paid"}
    assert desk.said == [
        "webhook evt_pay_key-bird:2026-10-1: acme:2026-10:1: acme is not to be had"
    ]


def test_webhooks_that_wait_keep_no_others_back(desk: Desk) -> None:
    desk.ledger.add(*(an_invoice(f"tenant-{n}") for n in range(4)))
    desk.collect()
    events = desk.provider.decide()
    desk.provider.faults = {"acme": DependencyUnreachable("no answer for acme")}
    assert desk.deliver(*events) == 5
    assert desk.states() == {"acme": "finalized"} | dict.fromkeys(
        ("bird", "tenant-0", "tenant-1", "tenant-2", "tenant-3"), "paid"
    )
    assert [event.event_id for event in desk.ledger.pending_webhooks(10)] == [events[0].event_id]


def test_webhooks_of_strangers_do_not_wait_for_an_attempt_that_never_answers(desk: Desk) -> None:
    desk.ledger.open_attempt(an_invoice("acme"), "sandbox", 0)
    desk.provider.faults = {"acme": DependencyUnreachable("no answer for acme")}
    strangers = [
        ProviderEvent("sandbox", f"evt_{n}", "payment.succeeded", "pay_other", b"")
        for n in range(4)
    ]
    assert [desk.deliver(*strangers), desk.deliver(), desk.deliver()] == [3, 1, 0]


def test_a_provider_that_is_down_keeps_back_nobody_elses_webhooks(desk: Desk) -> None:
    desk.ledger.add(*(an_invoice(f"tenant-{n}") for n in range(3)))
    desk.collect()
    events = desk.provider.decide()
    desk.provider.is_down = True
    other = ProviderEvent("stripe", "evt_1", "payment_intent.succeeded", "pi_1", b"")
    assert desk.deliver(*events, other, limit=4) == 1
    assert len(desk.said) == 3, "after three in a row it is down"


def test_duplicated_and_late_webhooks_change_nothing(desk: Desk) -> None:
    desk.collect()
    events = desk.provider.decide()
    desk.deliver(*events)
    before = dict(desk.ledger.rows)
    again = [replace(event, event_id=f"{event.event_id}-again") for event in events]
    desk.deliver(*events, *again)
    assert desk.ledger.rows == before
