"""A plan's ramp: the page's timelines and fees, and what else becomes of one."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog.catalog_file import parse
from pipelines.plans.plan_commands import (
    Cancel,
    Change,
    Command,
    ConvertTrial,
    ExtendTrial,
    Reactivate,
    Start,
    Withdraw,
)
from pipelines.plans.plan_life import carry_out
from schemas.errors import ChangeRefused
from schemas.money import format_minor
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from tests.billing import Bill
from tests.plan_lives import a_life, when, written

PAGE = (Path(__file__).parents[4] / "docs/plans.md").read_text().partition("\n## Ramps\n")[2]
HEAD = """\
name: ramps
currencies: [USD]
default_plan: team
meters: {calls: {event_type: api, aggregation: count}}
"""
CATALOG = parse(HEAD + PAGE.partition("```yaml\n")[2].partition("```")[0], "plans.md")
NOW = when("10-16")
START = Start(plan="pro")
TRIAL = Start(plan="pro", trial_days=14)
ORDERS: dict[str, Command] = {
    "start pro": START,
    "start pro --trial-days 14": TRIAL,
    "start pro --until 2026-12-01": Start(plan="pro", ends_ms=when("12-01")),
    "change team --at 2026-12-01": Change(plan="team", when=when("12-01")),
    "change pro --at 2026-11-01": Change(plan="pro", when=when("11-01")),
    "cancel --at period-end": Cancel(),
    "withdraw 2026-11-16": Withdraw(at_ms=when("11-16")),
    "extend-trial 2026-11-09": ExtendTrial(ends_ms=when("11-09")),
    "convert-trial --at 2026-10-20": ConvertTrial(when=when("10-20")),
}


def after(*commands: Command, life: str = "", now: int = NOW, anchor_day: int = 1) -> Any:
    found = a_life(life, anchor_day)
    for command in commands:
        found = carry_out(found, command, now, {1: CATALOG}).subscription
    return found


def table(head: str) -> list[list[str]]:
    rows = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize(("ordered", "has"), table("Ordered on 16 October"))
def test_a_timeline_of_the_page(ordered: str, has: str) -> None:
    commands = [ORDERS[text] for text in re.findall(r"`([^`]+)`", ordered)]
    assert written(after(*commands)) == has.strip("`")


def fees(subscription: Subscription, month: str) -> str:
    bill = Bill({1: CATALOG}, subscription, month=BillingPeriod.month(month))
    amounts = (format_minor(line.amount_minor, "USD") for line in bill.lines())
    return ", ".join(amounts).replace("-", "−")


@pytest.mark.parametrize(("month", "told", "why"), table("Month"))
def test_a_month_of_the_page_by_both_engines(month: str, told: str, why: str) -> None:
    assert fees(after(START), month) == told


def test_what_follows_is_said_when_it_starts() -> None:
    assert carry_out(a_life(""), START, NOW, {1: CATALOG}).what == (
        "starts pro_intro at 2026-10-16T00:00:00Z, then pro_half at 2026-11-16T00:00:00Z,"
        " pro at 2027-01-16T00:00:00Z"
    )


def test_what_is_dropped_is_said_when_it_changes() -> None:
    changed = carry_out(after(START), Change(plan="team"), when("10-20"), {1: CATALOG})
    assert "dropped: pro_intro → pro_half at 2026-11-16" in changed.what
    assert "pro_half → pro at 2027-01-16" in changed.what


@pytest.mark.parametrize(
    ("starts", "has"),
    [
        # on the 31st: months keep their day; on a period's first day: at its beginning
        ("10-31 12:00", "pro_intro 10-31 12:00, pro_half 11-30 12:00, pro 2027-01-31 12:00"),
        ("11-01 09:30", "pro_intro 11-01 09:30, pro_half 12-01, pro 2027-02-01"),
    ],
)
def test_where_months_end(starts: str, has: str) -> None:
    assert written(after(Start(plan="pro", when=when(starts)))) == has


@pytest.mark.parametrize("start", [START, TRIAL])
def test_a_ramp_that_a_cancellation_dropped_is_not_guessed(start: Command) -> None:
    cancelled = after(start, Cancel())
    with pytest.raises(ChangeRefused, match="the ramp of pro was dropped by the cancellation"):
        carry_out(cancelled, Reactivate(), NOW, {1: CATALOG})


def test_its_plan_goes_on_after_a_change_to_it() -> None:
    cancelled = after(START, Cancel(), Change(plan="pro", when=when("10-20")))
    assert written(carry_out(cancelled, Reactivate(), NOW, {1: CATALOG}).subscription) == (
        "pro_intro 10-16, pro 10-20"
    )


def test_a_plan_without_ramp_is_reactivated_as_ever() -> None:
    assert written(after(Start(plan="team"), Cancel(), Reactivate())) == "team 10-16"
