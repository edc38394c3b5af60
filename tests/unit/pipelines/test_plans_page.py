"""The page on the life of a plan says what the code does."""

import re
from pathlib import Path

import pytest

from countinghouse.cli.subscriptions import subscriptions
from pipelines.plans.plan_life import carry_out
from pipelines.plans.subscription_file import COLUMNS
from schemas.plan_state import MOVES
from tests.plan_lives import a_life, shown, when
from tests.plan_orders import CATALOGS, cancel

PAGE = (Path(__file__).parents[3] / "docs/plans.md").read_text()


def rows(after: str) -> list[list[str]]:
    """The cells of the first table after a heading."""
    table = PAGE.partition(f"## {after}\n")[2].partition("\n\n|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]


def test_the_states_and_their_moves() -> None:
    told = {state.strip("`"): set(becomes.split(", ")) for state, _, becomes in rows("States")}
    assert told == {state: set(found) for state, found in MOVES.items() if state is not None}


def test_every_command() -> None:
    told = {name for row in rows("Commands") for name in re.findall(r"`([\w-]+)`", row[0])}
    groups = [subscriptions, *(it.typer_instance for it in subscriptions.registered_groups)]
    there = {it.name for group in groups if group for it in group.registered_commands}
    assert told | {"list", "history", "scheduled"} == there


def test_the_columns_of_a_file() -> None:
    [apply] = [row for row in rows("Commands") if row[0] == "`apply`"]
    assert set(COLUMNS) <= set(re.findall(r"\w+", apply[1]))


@pytest.mark.parametrize(
    ("life", "anchor_day", "now", "ends"),
    [
        ("pro 09-01", 1, "10-11", "11-01"),
        ("pro 10-16", 16, "11-11", "11-16"),
        ("pro 2026-01-31", 31, "2027-02-01", "2027-02-28"),
        ("pro 2026-01-31", 31, "2027-02-28", "2027-03-31"),
        ("pro/year 10-16", 1, "10-20", "2027-10-01"),
        ("pro/year 2028-02-29", 29, "2028-03-01", "2029-02-28"),
        ("trial pro 10-01, pro 10-15", 1, "10-11", "10-15"),
    ],
)
def test_the_ends_of_periods(life: str, anchor_day: int, now: str, ends: str) -> None:
    ended = carry_out(a_life(life, anchor_day), cancel("period-end"), when(now), CATALOGS)
    assert shown(ended.effective_ms) == ends
