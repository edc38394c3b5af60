"""The demo's commands on plans: read from a file, given once, told from the history."""

from pathlib import Path

import pytest

from countinghouse.demo.input import PLAN_CHANGES, SUBSCRIPTIONS
from countinghouse.demo.plan_changes import carry_out, read_changes, recorded
from countinghouse.init import DEFAULT_CATALOG, apply_catalog
from pipelines.plans import subscription_file
from pipelines.plans.plan_records import record_due_transitions
from schemas.errors import InvalidInput
from stores.ledger import Ledger, connect, migrate
from tests.builders import at

HEAD = "given_at,tenant,command,plan,when,why\n"


@pytest.fixture
def books(tmp_path: Path) -> Ledger:
    """The demo's ledger before its commands."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    books = connect(url)
    apply_catalog(books, DEFAULT_CATALOG)
    version, catalog = books.catalog()
    text = SUBSCRIPTIONS.read_text()
    books.save_subscriptions(
        subscription_file.parse(text, "f", version, catalog), at("11-25"), "demo"
    )
    return books


def test_the_shipped_commands_are_an_upgrade_a_scheduled_downgrade_and_a_cancellation(
    books: Ledger,
) -> None:
    planned = read_changes(PLAN_CHANGES)
    assert [done.is_repeat for done in carry_out(books, planned)] == [False, False, False]
    plans = {
        each.tenant: [
            (it.plan, it.is_cancelled) for it in books.subscribed(each.tenant).subscription.segments
        ]
        for each in planned
    }
    assert plans == {
        "m-small-035": [("pro", False), ("enterprise", False)],
        "m-large-091": [("pro", False), ("free", False)],
        "m-large-116": [("enterprise", True)],
    }


def test_commands_are_given_once_and_time_adds_what_it_does(books: Ledger) -> None:
    planned = read_changes(PLAN_CHANGES)
    carry_out(books, planned)
    assert all(done.is_repeat for done in carry_out(books, planned))
    record_due_transitions(books, at("11-25"))
    told = {(it.tenant, it.who, it.takes_effect) for it in recorded(books, planned)}
    assert ("m-large-091", "clock", "2026-11-01T00:00:00Z") in told
    assert ("m-large-116", "demo", "2026-10-12T15:00:00Z") in told


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2026-10-08T09:30:00Z,a,raise,pro,now,x", "'raise' is neither change nor cancel"),
        ("2026-10-08T09:30:00Z,a,change,pro,soon,x", "'soon' is neither now nor period-end"),
        ("yesterday,a,change,pro,now,x", "yesterday"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "changes.csv"
    file.write_text(f"{HEAD}2026-10-08T09:30:00Z,a,cancel,,now,x\n{line}\n")
    with pytest.raises(InvalidInput, match=rf"changes.csv:3: .*{problem}"):
        read_changes(file)
