"""What each command makes of a subscription: cases to be checked by reading them.

A case is the subscription before, when something is ordered, what, and the subscription after.
"""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.plans.plan_commands import (
    Cancel,
    Change,
    Command,
    ConvertTrial,
    Pause,
    Reactivate,
    Withdraw,
)
from pipelines.plans.plan_life import carry_out
from schemas.errors import BillingError
from schemas.plan_state import first_difference, state_at
from tests.plan_lives import a_life, when, written
from tests.plan_orders import (
    CATALOGS,
    COMMANDS,
    INSTANTS,
    PLANS,
    cancel,
    change,
    move,
    pause,
    resume,
    start,
    to_month,
    to_trial_end,
    to_year,
    withdraw,
)

Case = tuple[str, str, Command, str]
NOW = "10-11 09:30"
STARTS: list[Case] = [
    # before, now, command, after
    ("", NOW, start("pro"), "pro 10-11 09:30"),
    ("", NOW, start("pro", "11-01"), "pro 11-01"),
    ("", NOW, start("pro", "10-05"), "pro 10-05"),
    ("", NOW, start("pro", interval="year"), "pro/year 10-11 09:30"),
    ("", NOW, start("pro", ends_ms=when("12-01")), "pro 10-11 09:30 .. 12-01"),
    ("", NOW, start("pro", trial_days=14), "trial pro 10-11 09:30, pro 10-25 09:30"),
    ("", NOW, start("pro", trial_days=14, converts=False), "trial pro 10-11 09:30 .. 10-25 09:30"),
    ("pro 09-01 .. 10-01 cancelled", NOW, start("free"),
     "pro 09-01 .. 10-01 cancelled, free 10-11 09:30"),
    ("pro 09-01 .. 10-01", NOW, start("pro"), "pro 09-01 .. 10-01, pro 10-11 09:30"),
    # a new start at the very end is no gap; the same plan goes on as if it had never ended
    ("pro 09-01 .. 11-01 cancelled", NOW, start("free", "11-01"), "pro 09-01, free 11-01"),
    ("pro 09-01 .. 11-01 cancelled", NOW, start("pro", "11-01"), "pro 09-01"),
]  # fmt: skip
CHANGES: list[Case] = [
    ("pro 09-01", NOW, change("enterprise"), "pro 09-01, enterprise 10-11 09:30"),
    ("pro 09-01", NOW, change("enterprise", "10-11"), "pro 09-01, enterprise 10-11"),
    ("pro 09-01", NOW, change("free", "period-end"), "pro 09-01, free 11-01"),
    ("pro 09-01", NOW, change("free", "12-24 18:00"), "pro 09-01, free 12-24 18:00"),
    ("pro 09-01", NOW, change("pro", version=2), "pro 09-01, pro@2 10-11 09:30"),
    # several in one month
    ("pro 09-01, free 10-05", NOW, change("enterprise"),
     "pro 09-01, free 10-05, enterprise 10-11 09:30"),
    # twice in the same second: only the last one was ever in force
    ("pro 09-01, free 10-11 09:30", NOW, change("enterprise"), "pro 09-01, enterprise 10-11 09:30"),
    ("pro 09-01, free 10-11 09:30", NOW, change("pro"), "pro 09-01"),
    # at the very first and the very last instant of a period
    ("pro 09-01", NOW, change("free", "10-01"), "pro 09-01, free 10-01"),
    ("pro 09-01", NOW, change("free", "10-31 23:59:59"), "pro 09-01, free 10-31 23:59:59"),
    ("pro 09-01", "10-01", change("free", "period-end"), "pro 09-01, free 11-01"),
    ("pro 09-01", "10-31 23:59:59", change("free", "period-end"), "pro 09-01, free 11-01"),
    ("pro 10-01", "10-01", change("free"), "free 10-01"),
    # a change drops the plan changes that were scheduled after it, and nothing else
    ("pro 09-01, free 11-01", NOW, change("enterprise"), "pro 09-01, enterprise 10-11 09:30"),
    ("pro 09-01 .. 11-01 cancelled", NOW, change("enterprise"),
     "pro 09-01, enterprise 10-11 09:30 .. 11-01 cancelled"),
    ("pro 09-01, paused pro 11-01, pro 12-01", NOW, change("enterprise"),
     "pro 09-01, enterprise 10-11 09:30, paused enterprise 11-01, enterprise 12-01"),
    ("pro 09-01 .. 11-01, free 12-01", NOW, change("enterprise"),
     "pro 09-01, enterprise 10-11 09:30 .. 11-01, free 12-01"),
    # within a trial the trial goes on, with the other plan
    ("trial pro 10-03, pro 10-17", NOW, change("enterprise"),
     "trial pro 10-03, trial enterprise 10-11 09:30, enterprise 10-17"),
    ("trial pro 10-03, pro 10-17", NOW, change("enterprise", "period-end"),
     "trial pro 10-03, enterprise 10-17"),
    ("pro 09-01, paused pro 10-05", NOW, change("free"),
     "pro 09-01, paused pro 10-05, paused free 10-11 09:30"),
    # month and year
    ("pro 09-01", NOW, to_year("period-end"), "pro 09-01, pro/year 11-01"),
    ("pro 09-01", NOW, to_year("now"), "pro 09-01, pro/year 10-11 09:30"),
    ("pro/year 09-01", NOW, to_month("period-end"), "pro/year 09-01, pro 2027-09-01"),
    ("pro 09-01, free 11-01", NOW, to_year("10-20"), "pro 09-01, pro/year 10-20, free/year 11-01"),
    ("pro/year 09-01", NOW, change("enterprise"), "pro/year 09-01, enterprise/year 10-11 09:30"),
    ("pro/year 09-01", NOW, change("free", "period-end"), "pro/year 09-01, free/year 2027-09-01"),
    # another price list, for whoever has the plan by an old one
    ("pro 09-01", NOW, move("now"), "pro 09-01, pro@2 10-11 09:30"),
    ("pro 09-01", NOW, move("period-end"), "pro 09-01, pro@2 11-01"),
    ("free 09-01, pro 11-15", NOW, move("period-end"), "free 09-01, pro@2 11-15"),
    ("pro 12-01", NOW, move("period-end"), "pro@2 12-01"),
]  # fmt: skip
ENDS: list[Case] = [
    ("pro 09-01", NOW, cancel("now"), "pro 09-01 .. 10-11 09:30 cancelled"),
    ("pro 09-01", NOW, cancel("period-end"), "pro 09-01 .. 11-01 cancelled"),
    ("pro 09-01", NOW, cancel("12-24"), "pro 09-01 .. 12-24 cancelled"),
    ("pro 09-01", NOW, cancel("10-05"), "pro 09-01 .. 10-05 cancelled"),
    ("pro 09-01, free 11-01", NOW, cancel("now"), "pro 09-01 .. 10-11 09:30 cancelled"),
    ("pro 09-01, free 11-01", NOW, cancel("11-01"), "pro 09-01 .. 11-01 cancelled"),
    ("pro 09-01 .. 12-01", NOW, cancel("period-end"), "pro 09-01 .. 11-01 cancelled"),
    ("pro 09-01 .. 12-01 cancelled", NOW, cancel("now"), "pro 09-01 .. 10-11 09:30 cancelled"),
    ("pro/year 09-01", NOW, cancel("period-end"), "pro/year 09-01 .. 2027-09-01 cancelled"),
    ("trial pro 10-03, pro 10-17", NOW, cancel("period-end"), "trial pro 10-03 .. 10-17 cancelled"),
    ("pro 09-01, paused pro 10-05", NOW, cancel("now"),
     "pro 09-01, paused pro 10-05 .. 10-11 09:30 cancelled"),
    ("pro 09-01 .. 11-01 cancelled", NOW, Reactivate(), "pro 09-01"),
    ("trial pro 10-03 .. 10-17 cancelled", NOW, Reactivate(), "trial pro 10-03, pro 10-17"),
    ("pro 09-01 .. 11-01 cancelled, free 12-01", NOW, Reactivate(), "pro 09-01, free 12-01"),
]  # fmt: skip
PAUSES: list[Case] = [
    ("pro 09-01", NOW, pause("now"), "pro 09-01, paused pro 10-11 09:30"),
    ("pro 09-01", NOW, pause("11-01", "12-01"), "pro 09-01, paused pro 11-01, pro 12-01"),
    ("pro 09-01", NOW, pause("10-01", "10-05"), "pro 09-01, paused pro 10-01, pro 10-05"),
    ("pro 09-01, free 11-01", NOW, pause("now"),
     "pro 09-01, paused pro 10-11 09:30, paused free 11-01"),
    ("pro 09-01, free 11-01", NOW, pause("10-20", "11-10"),
     "pro 09-01, paused pro 10-20, paused free 11-01, free 11-10"),
    ("pro 09-01 .. 12-01 cancelled", NOW, pause("now"),
     "pro 09-01, paused pro 10-11 09:30 .. 12-01 cancelled"),
    ("pro 09-01, paused pro 10-05", NOW, resume("now"),
     "pro 09-01, paused pro 10-05, pro 10-11 09:30"),
    ("pro 09-01, paused pro 10-05", NOW, resume("10-05"), "pro 09-01"),
    ("pro 09-01, paused pro 10-05", NOW, resume("11-01"), "pro 09-01, paused pro 10-05, pro 11-01"),
    ("pro 09-01, paused pro 10-05, paused free 11-01", NOW, resume("now"),
     "pro 09-01, paused pro 10-05, pro 10-11 09:30, free 11-01"),
    # another pause, later, is left as it is
    ("pro 09-01, paused pro 10-05, pro 10-20, paused pro 11-01", NOW, resume("now"),
     "pro 09-01, paused pro 10-05, pro 10-11 09:30, paused pro 11-01"),
]  # fmt: skip
TRIALS: list[Case] = [
    ("trial pro 10-03, pro 10-17", NOW, to_trial_end("10-31"),
     "trial pro 10-03, pro 10-31"),
    ("trial pro 10-03 .. 10-17", NOW, to_trial_end("10-31"),
     "trial pro 10-03 .. 10-31"),
    ("trial pro 10-03, pro 10-17, free 11-01", NOW, to_trial_end("11-05"),
     "trial pro 10-03, free 11-05"),
    ("trial pro 10-03, trial free 10-05, free 10-17", NOW, to_trial_end("10-31"),
     "trial pro 10-03, trial free 10-05, free 10-31"),
    ("trial pro 10-03, pro 10-17", NOW, ConvertTrial(), "trial pro 10-03, pro 10-11 09:30"),
    ("trial pro 10-03 .. 10-17", NOW, ConvertTrial(), "trial pro 10-03, pro 10-11 09:30"),
    ("trial pro 10-03, pro 10-17, free 11-01", NOW, ConvertTrial(when=when("10-12")),
     "trial pro 10-03, pro 10-12, free 11-01"),
]  # fmt: skip
WITHDRAWALS: list[Case] = [
    ("pro 09-01, free 11-01", NOW, withdraw("11-01"), "pro 09-01"),
    ("pro 09-01, free 11-01, enterprise 12-01", NOW, withdraw("11-01"),
     "pro 09-01, enterprise 12-01"),
    ("pro 09-01, free 11-01, enterprise 12-01", NOW, withdraw("12-01"), "pro 09-01, free 11-01"),
    ("pro 09-01 .. 11-01 cancelled", NOW, withdraw("11-01"), "pro 09-01"),
    ("pro 09-01 .. 11-01", NOW, withdraw("11-01"), "pro 09-01"),
    ("pro 09-01, paused pro 11-01, pro 12-01", NOW, withdraw("11-01"), "pro 09-01"),
    ("pro 09-01, paused pro 11-01, pro 12-01", NOW, withdraw("12-01"),
     "pro 09-01, paused pro 11-01"),
    # a pause goes, the plan change beneath it stays
    ("pro 09-01, paused pro 10-20, paused free 11-01, free 11-10", NOW, withdraw("10-20"),
     "pro 09-01, free 11-01"),
    ("pro 09-01, paused pro 10-20, paused free 11-01, free 11-10", NOW, withdraw("11-01"),
     "pro 09-01, paused pro 10-20, pro 11-10"),
    ("pro 09-01 .. 10-01 cancelled, free 11-01, pro 12-01", NOW, withdraw("11-01"),
     "pro 09-01 .. 10-01 cancelled"),
    ("pro 11-01", NOW, withdraw("11-01"), ""),
    ("trial pro 10-03, enterprise 10-17", NOW, withdraw("10-17"), "trial pro 10-03, pro 10-17"),
    ("trial pro 10-03 .. 10-17", NOW, withdraw("10-17"), "trial pro 10-03, pro 10-17"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "command", "after"),
    STARTS + CHANGES + ENDS + PAUSES + TRIALS + WITHDRAWALS,
)
def test_a_command_changes_the_timeline(
    before: str, now: str, command: Command, after: str
) -> None:
    change = carry_out(a_life(before), command, when(now), CATALOGS)
    assert written(change.subscription) == after


def test_a_plan_is_of_the_newest_price_list_unless_said() -> None:
    changed = carry_out(a_life("pro 09-01"), Change(plan="free"), when(NOW), CATALOGS)
    assert written(changed.subscription) == "pro 09-01, free@3 10-11 09:30"


def test_the_effect_is_told_in_words_with_what_is_dropped() -> None:
    life = a_life("pro 09-01, free 11-01")
    upgraded = carry_out(life, change("enterprise"), when(NOW), CATALOGS)
    assert upgraded.what == (
        "pro → enterprise at 2026-10-11T09:30:00Z; dropped: pro → free at 2026-11-01T00:00:00Z"
    )


LIVES = [before for before, *_ in STARTS + CHANGES + ENDS + PAUSES + TRIALS + WITHDRAWALS]


@given(st.sampled_from(LIVES), st.sampled_from([1, 16, 31]), INSTANTS, COMMANDS)
def test_no_command_changes_what_was_before_its_instant(
    before: str, anchor_day: int, now_ms: int, command: Command
) -> None:
    life = a_life(before, anchor_day)
    try:
        changed = carry_out(life, command, now_ms, CATALOGS)
    except BillingError:
        assume(False)
        return
    differs_ms = first_difference(life, replace(changed.subscription, anchor_day=anchor_day))
    assert differs_ms is not None
    assert differs_ms >= changed.effective_ms
    before_ms = changed.effective_ms - 1000
    assert state_at(life, before_ms) == state_at(changed.subscription, before_ms)


@given(PLANS, st.integers(1, 80), st.sampled_from(["pro 09-01", "pro 09-01, enterprise 12-24"]))
def test_a_scheduled_change_that_is_withdrawn_was_never_there(
    plan: str, days: int, before: str
) -> None:
    life, instant_ms = a_life(before), when(NOW) + days * 86_400_000
    assume(instant_ms < when("12-24") or "12-24" not in before)
    paused = carry_out(life, Pause(when=instant_ms), when(NOW), CATALOGS).subscription
    assert carry_out(paused, Withdraw(at_ms=instant_ms), when(NOW), CATALOGS).subscription == life
    cancelled = carry_out(a_life("pro 09-01"), Cancel(when=instant_ms), when(NOW), CATALOGS)
    taken_back = carry_out(cancelled.subscription, Reactivate(), when(NOW), CATALOGS)
    assert taken_back.subscription == a_life("pro 09-01")
