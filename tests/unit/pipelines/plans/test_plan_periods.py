"""When a period ends for which a plan was paid: anchors, years, leap years."""

from typing import Any

import pytest

from pipelines.plans.plan_commands import Start
from pipelines.plans.plan_life import carry_out
from tests.plan_lives import a_life, when, written
from tests.plan_orders import CATALOGS, cancel

NOW = "10-11 09:30"


@pytest.mark.parametrize(
    ("starts", "terms", "anchor_day"),
    [
        ("10-16", {}, 1),
        ("10-16", {"anchor": "calendar"}, 1),
        ("10-16", {"anchor": "anniversary"}, 16),
        ("10-31 23:59:59", {"anchor": "anniversary"}, 31),
        ("2028-02-29", {"anchor": "anniversary"}, 29),
        # the first day that is paid for
        ("10-16", {"anchor": "anniversary", "trial_days": 14}, 30),
    ],
)
def test_billing_periods_begin_on_the_day_that_was_chosen(
    starts: str, terms: dict[str, Any], anchor_day: int
) -> None:
    command = Start(plan="pro", when=when(starts), **terms)
    begun = carry_out(a_life(""), command, when(NOW), CATALOGS).subscription
    assert begun.anchor_day == anchor_day


@pytest.mark.parametrize(
    ("anchor_day", "now", "ends"),
    [
        (16, "10-11", "10-16"),
        (16, "10-16", "11-16"),
        (31, "2027-02-01", "2027-02-28"),
        (31, "2028-02-01", "2028-02-29"),
        (31, "2027-02-28", "2027-03-31"),
        (30, "2027-02-28", "2027-03-30"),
        (29, "2027-02-27 23:59:59", "2027-02-28"),
        (29, "2028-02-28", "2028-02-29"),
    ],
)
def test_a_period_ends_on_its_anchor_or_the_months_last_day(
    anchor_day: int, now: str, ends: str
) -> None:
    ended = carry_out(a_life("pro 09-01", anchor_day), cancel("period-end"), when(now), CATALOGS)
    assert written(ended.subscription) == f"pro 09-01 .. {ends} cancelled"


@pytest.mark.parametrize(
    ("life", "anchor_day", "now", "ends"),
    [
        ("pro/year 10-16", 1, "10-20", "2027-10-01"),
        ("pro/year 10-16", 16, "10-20", "2027-10-16"),
        ("pro/year 10-16", 16, "2027-10-16", "2028-10-16"),
        ("pro/year 10-16", 16, "2027-10-15 23:59:59", "2027-10-16"),
        ("pro/year 2028-02-29", 29, "2028-03-01", "2029-02-28"),
        ("pro/year 2028-02-29", 29, "2031-03-01", "2032-02-29"),
        ("pro/year 2026-01-31", 31, "10-20", "2027-01-31"),
        # years are counted from when they were paid for, whatever the plan
        ("pro 09-01, pro/year 11-01, enterprise/year 12-01", 1, "12-20", "2027-11-01"),
        ("trial pro/year 10-03, pro/year 10-17", 17, "10-20", "2027-10-17"),
    ],
)
def test_a_year_is_twelve_billing_periods(life: str, anchor_day: int, now: str, ends: str) -> None:
    ended = carry_out(a_life(life, anchor_day), cancel("period-end"), when(now), CATALOGS)
    assert ended.effective_ms == when(ends)
