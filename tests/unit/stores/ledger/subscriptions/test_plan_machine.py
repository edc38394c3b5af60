"""Any commands in any order, with restarts, repeats, closed months and unpaid invoices between.

The ledger is a real one in a file; what must hold always is checked after every step.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipelines.plans.plan_commands import (
    Cancel,
    Change,
    Command,
    ConvertTrial,
    ExtendTrial,
    Move,
    Pause,
    Reactivate,
    Resume,
    Start,
    SwitchInterval,
    When,
    Withdraw,
)
from pipelines.plans.plan_records import Order, change_plan, record_due_transitions
from pipelines.plans.plan_schedule import scheduled
from pipelines.plans.plan_timeline import trial_at
from schemas.errors import BillingError
from schemas.period import BillingPeriod
from schemas.plan_change import CLOCK, PlanEntry, RecordedChange
from schemas.plan_state import bounds, first_difference, may_follow, state_at
from schemas.subscription import GOOD_CARD, Interval, Subscription
from stores.ledger import Ledger, connect, migrate
from stores.ledger.connection import open_engine, reading, writing
from stores.ledger.tables.invoice_tables import invoices
from stores.ledger.tables.record_tables import billing_events
from tests.plan_lives import when
from tests.plan_orders import CATALOGS
from tests.unit.stores.ledger.builders import a_draft, prepare_month

TENANTS = ("acme", "bolt")
BLANK = {
    tenant: Subscription(f"sub_{tenant}", tenant, "USD", GOOD_CARD, (), anchor_day)
    for tenant, anchor_day in zip(TENANTS, (1, 16), strict=True)
}
FIRST_CLOSED = "2026-08"
HOUR_MS = 3_600_000
DAY = 24


@cache
def _migrated() -> Path:
    file = Path(tempfile.mkdtemp()) / "ledger.db"
    migrate(f"sqlite:///{file}")
    books = connect(f"sqlite:///{file}")
    for version, catalog in CATALOGS.items():
        named = catalog.model_dump(mode="json") | {"name": f"list_{version}"}
        books.apply_catalog(json.dumps(named).encode(), 0)
    prepare_month(books, [a_draft(tenant, month=FIRST_CLOSED) for tenant in TENANTS], FIRST_CLOSED)
    books.finalize(FIRST_CLOSED, "Example Ltd", 0, 0)
    books.close()
    return file


def _opened(url: str) -> Ledger:
    engine = open_engine(url)
    sa.event.listen(engine, "connect", _hurry)
    return Ledger(engine, lambda: 0)


def _hurry(connection: Any, _record: object) -> None:
    """No power fails in this test, so nothing waits for the disk."""
    connection.execute("PRAGMA synchronous = OFF").close()


def _open_from(closed: BillingPeriod) -> Iterator[tuple[str, int]]:
    """Whose plan may still change from when on, by tenant."""
    for tenant, blank in BLANK.items():
        yield tenant, blank.period_around(closed.end_ms).start_ms


Moment = Literal["now", "period-end"] | int
NAMES = st.sampled_from(TENANTS)
PLANS = st.sampled_from(["free", "pro", "enterprise"])
MOMENTS: st.SearchStrategy[Moment] = st.sampled_from(
    ["now", "period-end", "now", "period-end", -15 * DAY, -DAY, 0, 1, 7 * DAY, 31 * DAY, 60 * DAY]
)


class PlanLives(RuleBasedStateMachine):
    """Two tenants, one with calendar months and one whose periods begin on the 16th."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.url = f"sqlite:///{shutil.copy(_migrated(), self.folder)}"
        self.books = _opened(self.url)
        self.now_ms = when("09-02 12:34:56") + 789
        self.given: list[tuple[str, Order]] = []
        self.open_from_ms = dict(_open_from(BillingPeriod.month(FIRST_CLOSED)))
        self.as_closed: dict[str, Subscription] = {}

    def teardown(self) -> None:
        self.books.close()
        shutil.rmtree(self.folder)

    def stored(self, tenant: str) -> Subscription | None:
        found = [it for it in self.books.subscriptions() if it.tenant == tenant]
        return found[0] if found else None

    def history(self, tenant: str) -> list[RecordedChange]:
        return self.books.plan_history(tenant)

    def give(self, tenant: str, command: Command) -> None:
        """Carry a command out, if its state allows it: one thing changes, or nothing does."""
        before, rows = self.stored(tenant), self.history(tenant)
        open_from_ms = self.open_from_ms[tenant]
        order = Order(command, self.now_ms, "ada", key=f"key-{len(self.given)}")
        try:
            carried = change_plan(self.books, tenant, order, BLANK[tenant])
        except BillingError:
            assert self.stored(tenant) == before
            assert self.history(tenant) == rows
            return
        self.given.append((tenant, order))
        new = [it for it in self.history(tenant)[len(rows) :] if it.entry.command != CLOCK]
        assert [it.entry for it in new] == [carried.entry]
        self.check_states(carried.entry, before or BLANK[tenant], tenant)
        differs_ms = first_difference(before, self.stored(tenant) or BLANK[tenant])
        assert differs_ms is not None
        assert differs_ms >= max(open_from_ms, carried.entry.effective_ms)

    def check_states(self, entry: PlanEntry, before: Subscription, tenant: str) -> None:
        """It was in the state that its timeline says, and went where the new one says."""
        owes, after = self._owes(tenant), self.stored(tenant) or BLANK[tenant]
        assert entry.from_state == state_at(before, self.now_ms, is_past_due=owes)
        stays = entry.from_state == "past_due"
        assert entry.to_state == state_at(after, self.now_ms, is_past_due=stays)

    def when(self, moment: Moment) -> When:
        """Hours from now are an instant, at a whole second."""
        if isinstance(moment, str):
            return moment
        return (self.now_ms + moment * HOUR_MS) // 1000 * 1000

    @initialize(trial_days=st.sampled_from([0, 14]))
    def both_begin(self, trial_days: int) -> None:
        self.give("bolt", Start(plan="pro", version=1))
        self.now_ms = when("10-03 12:34:56") + 789
        self.the_last_month_is_closed()
        self.give("acme", Start(plan="pro", version=1, trial_days=trial_days))

    @rule(tenant=NAMES, plan=PLANS, moment=MOMENTS, trial_days=st.sampled_from([0, 7, 40]))
    def start(self, tenant: str, plan: str, moment: Moment, trial_days: int) -> None:
        self.give(tenant, Start(plan=plan, when=self.when(moment), trial_days=trial_days))

    @rule(tenant=NAMES, plan=PLANS, moment=MOMENTS, version=st.sampled_from([None, 1, 2]))
    def change(self, tenant: str, plan: str, moment: Moment, version: int | None) -> None:
        self.give(tenant, Change(plan=plan, when=self.when(moment), version=version))

    @rule(tenant=NAMES, plan=PLANS)
    def reach_into_what_is_closed(self, tenant: str, plan: str) -> None:
        at_ms = self.open_from_ms[tenant] - DAY * HOUR_MS
        self.give(tenant, Change(plan=plan, when=at_ms, version=2))

    @rule(tenant=NAMES, moment=MOMENTS)
    def cancel(self, tenant: str, moment: Moment) -> None:
        self.give(tenant, Cancel(when=self.when(moment)))

    @rule(tenant=NAMES)
    def reactivate(self, tenant: str) -> None:
        self.give(tenant, Reactivate())

    @rule(tenant=NAMES, moment=MOMENTS, hours=st.none() | st.integers(1, 1500))
    def pause(self, tenant: str, moment: Moment, hours: int | None) -> None:
        until = None if hours is None else self.when(hours)
        self.give(tenant, Pause(when=self.when(moment), until_ms=until))  # type: ignore[arg-type]

    @rule(tenant=NAMES, moment=MOMENTS)
    def resume(self, tenant: str, moment: Moment) -> None:
        self.give(tenant, Resume(when=self.when(moment)))

    @rule(tenant=NAMES, interval=st.sampled_from(["month", "year"]), moment=MOMENTS)
    def switch_interval(self, tenant: str, interval: Interval, moment: Moment) -> None:
        self.give(tenant, SwitchInterval(interval=interval, when=self.when(moment)))

    @rule(tenant=NAMES, plan=PLANS, versions=st.permutations([1, 2, 3]), moment=MOMENTS)
    def move(self, tenant: str, plan: str, versions: list[int], moment: Moment) -> None:
        old, new, _ = versions
        at = self.when(moment)
        self.give(tenant, Move(plan=plan, from_version=old, to_version=new, when=at))

    @rule(tenant=NAMES, days=st.integers(1, 30))
    def extend_trial(self, tenant: str, days: int) -> None:
        ends = trial_at(self.stored(tenant) or BLANK[tenant], self.now_ms)[-1:]
        extended_ms = (ends[0].ends_ms or 0) + days * DAY * HOUR_MS if ends else self.now_ms
        self.give(tenant, ExtendTrial(ends_ms=extended_ms))

    @rule(tenant=NAMES, moment=MOMENTS)
    def convert_trial(self, tenant: str, moment: Moment) -> None:
        self.give(tenant, ConvertTrial(when=self.when(moment)))

    @rule(tenant=NAMES, which=st.integers(0, 3))
    def withdraw(self, tenant: str, which: int) -> None:
        ahead = scheduled(self.stored(tenant) or BLANK[tenant], self.now_ms)
        if which < len(ahead):
            self.give(tenant, Withdraw(at_ms=ahead[which].at_ms))

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def a_repeat_changes_nothing(self, data: st.DataObject) -> None:
        tenant, order = data.draw(st.sampled_from(self.given))
        before, rows = self.stored(tenant), self.history(tenant)
        again = Order(order.command, self.now_ms, "bob", key=order.key)
        assert change_plan(self.books, tenant, again).is_repeat
        assert (self.stored(tenant), self.history(tenant)) == (before, rows)

    @rule(hours=st.sampled_from([1, DAY, 7 * DAY, 35 * DAY]))
    def time_passes(self, hours: int) -> None:
        self.now_ms += hours * HOUR_MS

    @rule()
    def the_clock_is_recorded(self) -> None:
        record_due_transitions(self.books, self.now_ms)
        assert record_due_transitions(self.books, self.now_ms) == 0
        for tenant in TENANTS:
            if (subscription := self.stored(tenant)) is not None:
                state = self.books.subscribed(tenant).state
                owes = self._owes(tenant)
                assert state == state_at(subscription, self.now_ms, is_past_due=owes)

    @rule()
    def everything_restarts(self) -> None:
        self.books.close()
        self.books = _opened(self.url)

    @rule(tenant=NAMES, state=st.sampled_from(["past_due", "paid"]))
    def a_payment_fails_or_succeeds(self, tenant: str, state: str) -> None:
        self.now_ms += 1000
        with writing(self.books._engine) as connection:
            of_tenant = sa.update(invoices).where(invoices.c.tenant == tenant)
            connection.execute(of_tenant.values(state=state))

    @rule()
    def the_last_month_is_closed(self) -> None:
        record_due_transitions(self.books, self.now_ms)
        month = BillingPeriod.month_of(BillingPeriod.month_of(self.now_ms).start_ms - 1)
        prepare_month(self.books, [], month.key) if self._is_open(month) else None
        self.books.finalize(month.key, "Example Ltd", self.now_ms, self.now_ms)
        self.open_from_ms = dict(_open_from(month))
        for tenant in TENANTS:
            if (subscription := self.stored(tenant)) is not None:
                self.as_closed[tenant] = subscription

    def _is_open(self, month: BillingPeriod) -> bool:
        closing = self.books.closing(month.key)
        return closing is None or closing.state.value != "closed"

    def _owes(self, tenant: str) -> bool:
        return any(it.state.value == "past_due" for it in self.books.invoices(tenant=tenant))

    @invariant()
    def states_follow_each_other_without_a_gap(self) -> None:
        for tenant in TENANTS:
            entries = [it.entry for it in self.history(tenant)]
            assert all(may_follow(it.from_state, it.to_state) for it in entries)
            assert all(one.to_state == next_.from_state for one, next_ in pairwise(entries))
            assert not entries or entries[0].from_state is None
            assert not entries or self.books.subscribed(tenant).state == entries[-1].to_state

    @invariant()
    def every_change_has_one_record_one_version_and_one_event(self) -> None:
        with reading(self.books._engine) as connection:
            told = sa.select(sa.func.count()).select_from(billing_events)
            events = connection.execute(told.where(billing_events.c.type.like("subscription.%")))
            count = events.scalar_one()
        rows = [it for tenant in TENANTS for it in self.history(tenant)]
        assert count == len(rows)
        for tenant in TENANTS:
            changes = [it for it in self.history(tenant) if it.entry.command != CLOCK]
            if changes:
                stored = self.books.subscribed(tenant)
                assert stored.version == stored.entitlement_version == len(changes)
                assert [it.version for it in changes] == [*range(1, len(changes) + 1)]
                assert all(a.after == b.before for a, b in pairwise(changes))
                assert all(it.before != it.after for it in changes)

    @invariant()
    def what_was_invoiced_stays(self) -> None:
        for tenant, closed in self.as_closed.items():
            differs_ms = first_difference(closed, self.stored(tenant) or closed)
            assert differs_ms is None or differs_ms >= self.open_from_ms[tenant]

    @invariant()
    def no_future_breaks_the_rules(self) -> None:
        for tenant in TENANTS:
            if (subscription := self.stored(tenant)) is not None:
                states = [state_at(subscription, at_ms) for at_ms in bounds(subscription)]
                assert all(may_follow(a, b) for a, b in pairwise([None, *states]))


PlanLives.TestCase.settings = settings(max_examples=25, stateful_step_count=30)
TestPlanLives = PlanLives.TestCase
