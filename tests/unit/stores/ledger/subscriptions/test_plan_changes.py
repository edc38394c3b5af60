"""Commands on subscriptions in a real ledger: written whole, once, and told."""

import json
from dataclasses import asdict
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.plans.plan_commands import (
    Cancel,
    Change,
    Command,
    Move,
    Pause,
    Reactivate,
    Resume,
    Start,
)
from pipelines.plans.plan_records import (
    Carried,
    Order,
    change_plan,
    move_all,
    record_due_transitions,
)
from schemas.closing import ClosingState
from schemas.errors import ChangeRefused, Conflict, NotFound, PeriodClosed
from schemas.subscription import GOOD_CARD, Subscription
from stores.ledger import Ledger
from stores.ledger.connection import open_engine, reading, writing
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.subscription_tables import subscription_changes
from tests.plan_lives import when, written
from tests.unit.stores.ledger.builders import (
    MONTH,
    a_draft,
    a_payment,
    a_subscription,
    finalized,
    prepare_month,
)

PLANS = ("free", "pro", "enterprise")
CATALOG: dict[str, Any] = {
    "name": "llm",
    "currencies": ["USD"],
    "default_plan": "free",
    "anniversary_billing": True,
    "meters": {"tokens": {"event_type": "llm.request", "aggregation": "sum", "value": ["n"]}},
    "plans": {
        plan: {"base_fee": {"USD": "0"}, "meters": {"tokens": {"included": "100"}}}
        for plan in PLANS
    },
}
NOW = when("10-11")


@pytest.fixture
def books(ledger: Ledger) -> Ledger:
    """A ledger whose price lists 2 and 3 have three plans each; 1 has one."""
    ledger.apply_catalog(json.dumps(CATALOG).encode(), NOW)
    ledger.apply_catalog(json.dumps({**CATALOG, "name": "dearer"}).encode(), NOW)
    return ledger


def carry_out(
    books: Ledger, command: Command, now: str, tenant: str = "acme", **order: Any
) -> Carried:
    """A command by ada; a tenant that has no subscription begins one in US dollars."""
    blank = Subscription(f"sub_{tenant}", tenant, "USD", GOOD_CARD, ())
    opening = blank if isinstance(command, Start) else None
    return change_plan(books, tenant, Order(command, when(now), "ada", **order), opening)


def pro_since_september(books: Ledger, tenant: str = "acme") -> None:
    carry_out(books, Start(plan="pro", version=2), "09-01", tenant)


def timeline(books: Ledger, tenant: str = "acme") -> str:
    return written(books.subscribed(tenant).subscription).replace("@2", "")


def test_a_change_is_written_with_its_record_its_version_and_its_event(books: Ledger) -> None:
    pro_since_september(books)
    carry_out(books, Change(plan="free", version=2), "10-11", why="too dear")
    stored = books.subscribed("acme")
    assert timeline(books) == "pro 09-01, free 10-11"
    assert (stored.version, stored.entitlement_version, stored.state) == (2, 2, "active")
    [started, changed] = books.plan_history("acme")
    assert (started.before, started.entry.from_state) == (None, None)
    entry = changed.entry
    assert (entry.who, entry.why, entry.command) == ("ada", "too dear", "change")
    assert (entry.recorded_ms, entry.effective_ms) == (NOW, NOW)
    assert [each["plan"] for each in json.loads(changed.before or "")["plans"]] == ["pro"]
    assert [each["plan"] for each in json.loads(changed.after or "")["plans"]] == ["pro", "free"]
    event = books.behind_events(10)[-1]
    assert (event.id, event.type) == ("subscription.changed:sub_acme:2", "subscription.changed")
    assert json.loads(event.data)["change"]["what"] == "pro → free at 2026-10-11T00:00:00Z"
    assert books.audit_log("acme")[-1]["who"] == "ada"


def test_the_same_key_changes_nothing_the_second_time(books: Ledger) -> None:
    pro_since_september(books)
    first = carry_out(books, Change(plan="free"), "10-11", key="ticket-7")
    again = carry_out(books, Change(plan="free"), "10-20", key="ticket-7")
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert again.entry == first.entry
    assert books.subscribed("acme").version == 2
    assert len(books.plan_history("acme")) == 2
    with pytest.raises(Conflict, match="the key 'ticket-7' was used for"):
        carry_out(books, Cancel(), "10-20", key="ticket-7")


def test_without_a_key_the_last_command_is_known_by_what_it_said(books: Ledger) -> None:
    pro_since_september(books)
    assert not carry_out(books, Cancel(), "10-11").is_repeat
    assert carry_out(books, Cancel(), "10-12").is_repeat
    assert not carry_out(books, Reactivate(), "10-13").is_repeat
    assert carry_out(books, Reactivate(), "10-14").is_repeat
    # what was taken back may be ordered again: it is another act
    assert not carry_out(books, Cancel(), "10-15").is_repeat
    assert timeline(books) == "pro 09-01 .. 11-01 cancelled"
    assert [each.entry.command for each in books.plan_history("acme")] == [
        "start", "cancel", "reactivate", "cancel",
    ]  # fmt: skip


def test_a_command_that_is_refused_leaves_nothing(books: Ledger) -> None:
    pro_since_september(books)
    with pytest.raises(ChangeRefused, match="acme is active"):
        carry_out(books, Resume(), "10-11")
    assert len(books.plan_history("acme")) == 1
    assert books.subscribed("acme").version == 1


def test_what_dies_half_way_leaves_nothing(books: Ledger) -> None:
    pro_since_september(books)

    class Dies(Exception):
        pass

    def die(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO billing_events"):
            raise Dies

    sa.event.listen(books._engine, "before_cursor_execute", die)
    with pytest.raises(Dies):
        carry_out(books, Change(plan="free"), "10-11")
    sa.event.remove(books._engine, "before_cursor_execute", die)
    assert timeline(books) == "pro 09-01"
    assert (books.subscribed("acme").entitlement_version, len(books.plan_history("acme"))) == (1, 1)
    assert not carry_out(books, Change(plan="free"), "10-11").is_repeat


def test_a_tenant_without_subscription_is_not_found(books: Ledger) -> None:
    with pytest.raises(NotFound, match="tenant 'ghost' has no subscription"):
        carry_out(books, Cancel(), "10-11", "ghost")


def test_what_the_clock_did_is_recorded_once_and_raises_no_version(books: Ledger) -> None:
    carry_out(books, Start(plan="pro", version=2, trial_days=14), "10-01")
    assert record_due_transitions(books, when("10-14")) == 0
    assert record_due_transitions(books, when("10-15")) == 1
    assert record_due_transitions(books, when("10-16")) == 0
    stored = books.subscribed("acme")
    assert (stored.version, stored.entitlement_version, stored.state) == (1, 1, "active")
    last = books.plan_history("acme")[-1]
    assert (last.entry.who, last.entry.what) == ("clock", "the trial is over")
    assert (last.before, last.after) == (None, None)
    event = books.behind_events(10)[-1]
    assert event.type == "subscription.state"
    assert json.loads(event.data)["to_state"] == "active"


def test_a_command_records_first_what_the_clock_did(books: Ledger) -> None:
    carry_out(books, Start(plan="pro", version=2, trial_days=14), "10-01")
    carry_out(books, Pause(), "11-05")
    moves = [(each.entry.from_state, each.entry.to_state, each.version)
             for each in books.plan_history("acme")]  # fmt: skip
    assert moves == [(None, "trialing", 1), ("trialing", "active", 1), ("active", "paused", 2)]


def test_an_unpaid_invoice_makes_past_due_and_its_payment_active(books: Ledger) -> None:
    pro_since_september(books)
    [invoice] = finalized(books, a_draft("acme"))
    attempt = books.open_attempt(invoice, "sandbox", when("11-01 03:00"))
    assert attempt is not None
    books.record_attempt(attempt.id, a_payment(attempt, "failed"), when("11-01 03:00"))
    assert record_due_transitions(books, when("11-02")) == 1
    assert record_due_transitions(books, when("11-03")) == 0
    assert books.subscribed("acme").state == "past_due"
    with pytest.raises(ChangeRefused, match="acme is past due"):
        carry_out(books, Pause(), "11-03")
    carry_out(books, Change(plan="free"), "11-04")
    assert books.subscribed("acme").state == "past_due"
    second = books.open_attempt(invoice, "sandbox", when("11-05"))
    assert second is not None
    books.record_attempt(second.id, a_payment(second, "succeeded"), when("11-05"))
    assert record_due_transitions(books, when("11-06")) == 1
    assert books.subscribed("acme").state == "active"


def test_a_resumed_plan_with_an_unpaid_invoice_is_past_due_at_once(books: Ledger) -> None:
    pro_since_september(books)
    [invoice] = finalized(books, a_draft("acme"))
    carry_out(books, Pause(), "11-02")
    with writing(books._engine) as connection:
        unpaid = sa.update(invoices).where(invoices.c.id == invoice.id).values(state="past_due")
        connection.execute(unpaid)
    carry_out(books, Resume(), "11-05")
    assert [each.entry.to_state for each in books.plan_history("acme")][-2:] == [
        "active",
        "past_due",
    ]


def close_october(books: Ledger, *tenants: str) -> None:
    prepare_month(books, [a_draft(tenant) for tenant in tenants])
    books.finalize(MONTH, "Example Ltd", when("11-01 02:00"), when("11-15"))
    closing = books.closing(MONTH)
    assert closing is not None
    assert closing.state is ClosingState.CLOSED


def test_a_closed_month_is_not_changed_unless_it_is_meant(books: Ledger) -> None:
    pro_since_september(books)
    close_october(books, "acme")
    command = Change(plan="free", version=2, when=when("10-31 23:59:59"))
    with pytest.raises(PeriodClosed) as refused:
        carry_out(books, command, "11-05")
    assert str(refused.value) == (
        "October 2026 is closed: what 'acme' had from 2026-10-31T23:59:59Z on is invoiced; choose"
        " 2026-11-01T00:00:00Z or later, or say --in-closed-months if invoices shall be corrected"
    )
    assert timeline(books) == "pro 09-01"
    carry_out(books, Change(plan="free", version=2, when=when("11-01")), "11-05")
    assert timeline(books) == "pro 09-01, free 11-01"
    carry_out(books, command, "11-05", in_closed_months=True)
    assert timeline(books) == "pro 09-01, free 10-31 23:59:59"


def test_of_an_anniversary_the_periods_that_ended_in_a_closed_month_are_closed(
    books: Ledger,
) -> None:
    anniversary = a_subscription("acme", ("pro", "2026-09-16"), version=2, anchor_day=16)
    books.save_subscriptions([anniversary], NOW, "ada")
    close_october(books, "acme")
    with pytest.raises(PeriodClosed, match="choose 2026-10-16T00:00:00Z or later"):
        carry_out(books, Change(plan="free", when=when("10-15")), "11-05")
    carry_out(books, Change(plan="free", version=2, when=when("10-16")), "11-05")
    assert timeline(books) == "pro 09-16, free 10-16"


@pytest.mark.parametrize("policy", ["in_advance", "in_arrears"])
def test_what_was_charged_ahead_is_not_changed_at_the_next_periods_first_instant(
    books: Ledger, policy: str
) -> None:
    plans = CATALOG["plans"] | {"pro": CATALOG["plans"]["pro"] | {"policies": {"base_fee": policy}}}
    books.apply_catalog(json.dumps({**CATALOG, "plans": plans}).encode(), NOW)
    books.save_subscriptions([a_subscription("acme", ("pro", "2026-09-01"), version=4)], NOW, "ada")
    close_october(books, "acme")
    first, later = (
        Change(plan="free", version=4, when=when(at)) for at in ("11-01", "11-01 00:00:01")
    )
    if policy == "in_arrears":
        carry_out(books, first, "11-05")
        return
    with pytest.raises(PeriodClosed, match="choose 2026-11-01T00:00:01Z or later"):
        carry_out(books, first, "11-05")
    carry_out(books, later, "11-05")
    assert timeline(books) == "pro@4 09-01, free@4 11-01 00:00:01"


def test_a_file_does_not_change_a_closed_month_either(books: Ledger) -> None:
    pro_since_september(books)
    close_october(books, "acme")
    backdated = [a_subscription("acme", ("pro", "2026-09-01"), ("free", "2026-10-20"), version=2)]
    with pytest.raises(PeriodClosed):
        books.save_subscriptions(backdated, when("11-05"), "ada")
    anchored = a_subscription("acme", ("pro", "2026-12-01"), version=2, anchor_day=16)
    with pytest.raises(PeriodClosed, match="had from 2026-09-01T00:00:00Z on"):
        books.save_subscriptions([anchored], when("11-05"), "ada")
    late = a_subscription("bolt", ("free", "2026-10-20"), version=2)
    with pytest.raises(PeriodClosed, match="'bolt'"):
        books.save_subscriptions([late], when("11-05"), "ada")
    books.save_subscriptions(backdated, when("11-05"), "ada", in_closed_months=True)
    assert books.plan_history("acme")[-1].entry.command == "apply"


def test_whose_plans_were_changed_in_the_past_is_known(books: Ledger) -> None:
    for tenant in ("acme", "bolt", "core"):
        pro_since_september(books, tenant)
    backdated = Change(plan="free", version=2, when=when("10-20"))
    carry_out(books, backdated, "11-05", "acme", in_closed_months=True)
    carry_out(books, Change(plan="free", version=2, when=when("11-02")), "11-05", "bolt")
    assert books.tenants_replanned(when("11-01"), when("11-01")) == {"acme"}
    assert books.tenants_replanned(when("11-02"), when("11-05")) == {"acme", "bolt"}
    assert books.tenants_replanned(when("11-02"), when("11-05"), ["bolt"]) == {"bolt"}
    assert books.tenants_replanned(when("11-02"), when("11-06")) == set()


def test_all_that_have_a_plan_by_a_price_list_are_moved_once(books: Ledger) -> None:
    for tenant in ("acme", "bolt", "core"):
        pro_since_september(books, tenant)
    carry_out(books, Change(plan="free", version=2), "10-02", "bolt")
    carry_out(books, Cancel(when="now"), "10-02", "core")
    move = Order(Move(plan="pro", from_version=2, to_version=3), NOW, "ada", key="2026-prices")
    moved = move_all(books, move)
    assert [(each.tenant, each.is_repeat) for each in moved] == [("acme", False)]
    assert written(books.subscribed("acme").subscription) == "pro@2 09-01, pro@3 11-01"
    assert [each.is_repeat for each in move_all(books, move)] == [True]
    assert books.subscribed("acme").version == 2


def test_a_key_is_used_once_even_by_the_database(books: Ledger) -> None:
    pro_since_september(books)
    row = {"subscription": "sub_acme", "version": 2, "before": None, "after": None}
    entry = asdict(books.plan_history("acme")[0].entry)
    with pytest.raises(sa.exc.IntegrityError), writing(books._engine) as connection:
        connection.execute(sa.insert(subscription_changes).values({**row, **entry}))


@pytest.mark.parametrize(
    "index", ["ix_subscriptions_next_move", "ix_subscriptions_past_due", "ix_invoices_past_due"]
)
def test_an_idle_look_at_the_clock_reads_indexes(sqlite_url: str, index: str) -> None:
    engine = open_engine(sqlite_url)
    statements: list[tuple[str, Any]] = []
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, values, *_: statements.append((statement, values)),
    )
    assert Ledger(engine, lambda: NOW).tenants_due(NOW) == []
    asked, values = next(each for each in statements if each[0].startswith("SELECT"))
    with reading(engine) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", values).all()
    assert any(index in str(step) for step in plan), plan
