"""What went back is followed: told by webhooks, asked of providers, once whatever is killed."""

from dataclasses import replace

import pytest

from pipelines.collection import received
from pipelines.reversals import follow_all, reversals_match
from schemas.errors import InvalidInput
from schemas.invoice import InvoiceState
from schemas.payment import AttemptState, ProviderEvent, ProviderPayment
from schemas.reversal import ReversalState, reversed_minor
from tests.unit.payments.fakes import MONTH, NOW_MS, Killed, ProviderInMemory, a_clock, an_invoice
from tests.unit.pipelines.collecting import Desk, a_desk

ACME, BIRD = "acme:2026-10", "bird:2026-10"
PENDING, SETTLED, UNDONE = ReversalState


@pytest.fixture
def desk() -> Desk:
    """Two tenants who have paid 27.36 USD each."""
    desk = a_desk()
    desk.collect()
    desk.deliver(*desk.provider.decide())
    return desk


def gone(desk: Desk) -> dict[str, int]:
    """What went back by invoice, by the ledger."""
    found = desk.ledger.reversals()
    return {attempt.rpartition(":")[0]: reversed_minor(own) for attempt, own in found.items()}


def follow(desk: Desk, since_ms: int = 0) -> None:
    providers = {desk.provider.name: desk.provider}
    follow_all(since_ms, desk.ledger, providers, a_clock, desk.said.append)


def test_a_webhook_of_a_refund_makes_us_ask_and_the_invoice_stays_paid(desk: Desk) -> None:
    told = desk.provider.take_back(ACME, "re_1")
    assert desk.deliver(told) == 1
    assert gone(desk) == {ACME: 1000}
    assert desk.states() == {"acme": "paid", "bird": "paid"}
    assert desk.collect(again=True) == 0


def test_what_a_webhook_says_is_not_believed(desk: Desk) -> None:
    told = desk.provider.take_back(ACME, "re_1", state=UNDONE)
    assert desk.deliver(replace(told, kind="refund.settled")) == 1
    assert gone(desk) == {ACME: 0}


def test_partial_refunds_twice_and_out_of_order_count_once_each(desk: Desk) -> None:
    events = [desk.provider.take_back(ACME, f"re_{n}", amount_minor=100 * n) for n in (1, 2, 3)]
    again = [replace(event, event_id=f"{event.event_id}-again") for event in events]
    desk.deliver(*reversed(events), *again)
    assert gone(desk) == {ACME: 600}
    assert len(desk.ledger.reversals()[f"{ACME}:1"]) == 3


def test_a_refund_that_fails_later_and_a_dispute_that_is_won_come_back(desk: Desk) -> None:
    desk.deliver(
        desk.provider.take_back(ACME, "re_1"), desk.provider.take_back(BIRD, "dp_1", state=PENDING)
    )
    assert gone(desk) == {ACME: 1000, BIRD: 1000}
    desk.deliver(
        desk.provider.take_back(ACME, "re_1", state=UNDONE),
        desk.provider.take_back(BIRD, "dp_1", state=UNDONE),
    )
    assert gone(desk) == {ACME: 0, BIRD: 0}


def test_a_refund_told_before_its_payment_was_recorded_is_found() -> None:
    desk = a_desk()
    desk.collect()
    desk.provider.decide()
    desk.deliver(desk.provider.take_back(ACME, "re_1"))
    assert desk.states()["acme"] == "paid"
    assert gone(desk) == {ACME: 1000}


def test_killed_before_the_webhook_was_finished_it_is_acted_on_again_and_recorded_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(desk.ledger, "finish_webhook", die)
        with pytest.raises(Killed):
            desk.deliver(desk.provider.take_back(ACME, "re_1"))
    assert gone(desk) == {ACME: 1000}
    assert desk.deliver() == 1
    assert gone(desk) == {ACME: 1000}


def test_a_webhook_of_a_refund_waits_for_its_provider(desk: Desk) -> None:
    told = desk.provider.take_back(ACME, "re_1")
    desk.provider.is_down = True
    assert desk.deliver(told) == 0
    desk.provider.is_down = False
    assert desk.deliver() == 1
    assert gone(desk) == {ACME: 1000}


def test_what_contradicts_the_payment_is_told_and_its_webhook_finished(desk: Desk) -> None:
    assert desk.deliver(desk.provider.take_back(ACME, "re_1", currency="EUR")) == 1
    assert desk.said == ["webhook evt_re_1_settled: acme:2026-10:1: re_1 is in EUR"]


def test_a_refund_of_a_stranger_is_finished(desk: Desk) -> None:
    assert desk.deliver(ProviderEvent("sandbox", "evt_x", "refund.settled", "pay_x", b"")) == 1


def test_webhooks_of_payments_do_not_ask_what_went_back(desk: Desk) -> None:
    desk.provider.take_back(ACME, "re_1")
    desk.deliver(ProviderEvent("sandbox", "evt_y", "payment.succeeded", f"pay_key-{ACME}-1", b""))
    assert gone(desk) == {}


def test_lost_webhooks_are_made_up_for_by_asking_once(desk: Desk) -> None:
    desk.provider.take_back(ACME, "re_1")
    desk.provider.take_back(BIRD, "dp_1", state=PENDING)
    stranger = replace(desk.provider.went_back["re_1"], payment="pay_x", reference="re_9")
    desk.provider.went_back["re_9"] = stranger
    for _ in range(2):
        follow(desk)
        assert gone(desk) == {ACME: 1000, BIRD: 1000}
    desk.provider.take_back(BIRD, "dp_1", state=UNDONE)
    follow(desk, NOW_MS)
    assert gone(desk) == {ACME: 1000, BIRD: 0}
    assert desk.said == []


def test_only_what_was_made_since_the_instant_is_asked_for(desk: Desk) -> None:
    desk.provider.take_back(ACME, "re_1")
    follow(desk, NOW_MS + 1)
    assert gone(desk) == {}


def test_a_provider_through_which_nothing_was_paid_is_not_asked(desk: Desk) -> None:
    idle = ProviderInMemory("stripe", is_down=True)
    providers = {"stripe": idle, "sandbox": desk.provider}
    follow_all(0, desk.ledger, providers, a_clock, desk.said.append)
    assert desk.said == []


def test_what_is_wrong_with_one_payment_or_provider_stops_no_other(desk: Desk) -> None:
    desk.ledger.add(an_invoice("crow"))
    crow = desk.ledger.open_attempt(an_invoice("crow"), "alipay", 0)
    assert crow is not None
    paid = ProviderPayment("pay_crow", AttemptState.SUCCEEDED, 2736, "USD")
    desk.ledger.record_attempt(crow.id, paid, 0)
    desk.provider.take_back(ACME, "re_1", currency="EUR")
    desk.provider.take_back(BIRD, "re_2")
    providers = {"alipay": ProviderInMemory("alipay", is_down=True), "sandbox": desk.provider}
    follow_all(0, desk.ledger, providers, a_clock, desk.said.append)
    assert gone(desk)[BIRD] == 1000
    assert desk.said == [
        "what went back at alipay is not known: the provider does not answer",
        "acme:2026-10:1: re_1 is in EUR",
    ]


def test_what_is_not_paid_yet_is_left_to_the_next_look() -> None:
    desk = a_desk()
    desk.collect()
    desk.provider.decide()
    [bird] = [each for each in desk.ledger.attempts() if each.tenant == "bird"]
    desk.ledger.record_attempt(bird.id, desk.provider.payments[bird.key], 0)
    desk.provider.take_back(ACME, "re_1")
    follow(desk)
    assert gone(desk) == {}
    desk.settle()
    follow(desk)
    assert gone(desk) == {ACME: 1000}


def test_what_came_in_is_net_of_what_went_back(desk: Desk) -> None:
    assert received(desk.ledger, MONTH) == {"USD": 2 * 2736}
    desk.deliver(desk.provider.take_back(ACME, "re_1"))
    assert received(desk.ledger, MONTH) == {"USD": 2 * 2736 - 1000}


def test_what_the_provider_says_went_back_stands_beside_the_record(desk: Desk) -> None:
    desk.provider.take_back(ACME, "re_1")
    desk.provider.take_back(BIRD, "re_2")
    paid, told = desk.ledger.attempts(), {"sandbox": desk.provider.reversals()}
    assert reversals_match(paid, {}, told) == [
        "acme:2026-10:1: sandbox says USD 10.00 went back, the ledger USD 0.00",
        "bird:2026-10:1: sandbox says USD 10.00 went back, the ledger USD 0.00",
    ]
    follow(desk)
    assert reversals_match(paid, desk.ledger.reversals(), told) == []
    assert reversals_match(paid, desk.ledger.reversals(), {}) == [], "who was not asked"


@pytest.mark.parametrize("fault", [InvalidInput("no"), Killed()])
def test_a_page_that_fails_in_the_middle_is_told_or_ends_us(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def failing(payment: str | None = None, since_ms: int = 0) -> object:
        yield desk.provider.went_back["re_1"]
        raise fault

    desk.provider.take_back(ACME, "re_1")
    monkeypatch.setattr(desk.provider, "reversals", failing)
    if isinstance(fault, Killed):
        with pytest.raises(Killed):
            follow(desk)
    else:
        follow(desk)
        assert desk.said == ["what went back at sandbox is not known: no"]
    assert desk.states()["acme"] == InvoiceState.PAID
