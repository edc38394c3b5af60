"""The relay records what time does to plans, without a close and without anybody who looks."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from countinghouse.init import DEFAULT_CATALOG, apply_catalog
from pipelines.plans.plan_commands import Change, Command, Start
from pipelines.plans.plan_records import Order, change_plan
from schemas.subscription import GOOD_CARD, Subscription
from stores.ledger import Ledger, connect, migrate
from streams.relay.relay_transitions import EVERY_SECONDS, TransitionsDuty
from tests.builders import at


@dataclass
class Time:
    """The wall clock, and the seconds that have passed."""

    now_ms: int = field(default_factory=lambda: at("10-11"))
    seconds: float = 0.0

    def clock(self) -> int:
        return self.now_ms

    def elapsed(self) -> float:
        return self.seconds


@pytest.fixture
def books(tmp_path: Path) -> Ledger:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    books = connect(url)
    apply_catalog(books, DEFAULT_CATALOG)
    return books


def order(books: Ledger, command: Command, time: Time) -> None:
    blank = Subscription("sub_acme", "acme", "USD", GOOD_CARD, ())
    change_plan(books, "acme", Order(command, time.now_ms, "ada"), blank)


def test_a_scheduled_downgrade_is_told_when_its_day_has_come(books: Ledger) -> None:
    time = Time()
    order(books, Start(plan="pro", version=1), time)
    order(books, Change(plan="free", when="period-end"), time)
    duty = TransitionsDuty(books, time.clock, time.elapsed)
    assert duty.step() == 0
    time.now_ms, time.seconds = at("11-01"), EVERY_SECONDS
    assert duty.step() == 1
    time.seconds += EVERY_SECONDS
    assert duty.step() == 0
    entry = books.plan_history("acme")[-1].entry
    assert (entry.who, entry.why, entry.effective_ms) == ("clock", "as scheduled", at("11-01"))


def test_the_ledger_is_asked_at_most_once_a_second(books: Ledger) -> None:
    time = Time()
    order(books, Start(plan="pro", version=1), time)
    order(books, Change(plan="free", when="period-end"), time)
    duty = TransitionsDuty(books, time.clock, time.elapsed)
    assert duty.step() == 0
    time.now_ms, time.seconds = at("11-01"), EVERY_SECONDS * 0.9
    assert duty.step() == 0
    time.seconds = EVERY_SECONDS
    assert duty.step() == 1
