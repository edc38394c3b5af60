"""Commands that a subscription's state does not allow, and what is said of each."""

import pytest

from pipelines.plans.plan_commands import (
    Change,
    Command,
    ConvertTrial,
    Reactivate,
    Start,
)
from pipelines.plans.plan_life import carry_out
from schemas.errors import ChangeRefused, InvalidInput
from tests.plan_lives import a_life, when
from tests.plan_orders import (
    CATALOGS,
    cancel,
    change,
    move,
    pause,
    resume,
    start,
    to_trial_end,
    to_year,
    withdraw,
)

NOW = "10-11 09:30"


@pytest.mark.parametrize(
    ("before", "now", "command", "reason"),
    [
        ("pro 09-01", NOW, start("free"), "acme is active: it cannot start beside"),
        ("pro 12-01", NOW, start("free"), "acme has not begun: it cannot start beside"),
        ("pro 09-01", NOW, change("pro"), "acme is active: `change` .* would change nothing"),
        ("pro 09-01 .. 10-01 cancelled", NOW, change("free"),
         "acme is cancelled: no plan .*`start`"),
        ("pro 09-01 .. 10-01", NOW, change("free"), "acme has expired: no plan .* use `start`"),
        ("pro 09-01 .. 10-01", NOW, change("free", "09-15"), "acme has expired: no plan"),
        ("pro 12-01", NOW, change("free"), "acme has not begun: no plan"),
        ("pro 12-01", NOW, change("free", "period-end"),
         "has not begun: no period .* give an instant"),
        ("pro 08-01 .. 09-01, free 10-01", NOW, change("enterprise", "08-15"), "no plan of it can"),
        ("pro 09-01 .. 10-01 cancelled", NOW, cancel("now"), "acme is cancelled: no plan"),
        ("pro 09-01 .. 11-01 cancelled", NOW, cancel("11-01"), "acme is active: no plan"),
        ("pro 09-01", NOW, cancel("09-01"), "it begins at 2026-09-01T00:00:00Z; choose a later"),
        ("pro 12-01", NOW, cancel("12-01"), "it begins at .* or `withdraw` a start ahead"),
        ("pro 09-01", NOW, Reactivate(), "acme is active: no cancellation is scheduled"),
        ("pro 09-01 .. 11-01", NOW, Reactivate(), "acme is active: no cancellation is scheduled"),
        ("pro 09-01 .. 10-01 cancelled", NOW, Reactivate(), "acme is cancelled: .*use `start`"),
        ("pro 09-01 .. 10-11 09:30 cancelled", NOW, Reactivate(), "acme is cancelled: .*`start`"),
        ("pro 09-01, paused pro 10-05", NOW, pause("now"), "is paused: `pause` .* change nothing"),
        ("trial pro 10-03, pro 10-17", NOW, pause("now"), "is trialing: a trial cannot be paused"),
        ("trial pro 10-03, pro 10-17", NOW, pause("10-17"),
         "from trialing to paused at 2026-10-17"),
        ("pro 09-01 .. 10-01", NOW, pause("now"), "acme has expired: no plan"),
        ("pro 09-01", NOW, resume("now"), "acme is active: it is not paused at"),
        ("pro 09-01, paused pro 11-01", NOW, resume("now"), "acme is active: it is not paused at"),
        ("pro 09-01", NOW, to_trial_end("11-01"), "acme is active: no trial is running"),
        ("trial pro 10-03, pro 10-17", NOW, to_trial_end("10-12"), "see `convert-trial`"),
        ("trial pro 10-03, pro 10-17 .. 10-20", NOW, to_trial_end("11-01"),
         "it ends at 2026-10-20T00:00:00Z, before its trial would"),
        ("trial pro 10-03 .. 10-17, pro 10-20", NOW, to_trial_end("11-01"),
         "it starts anew at 2026-10-20T00:00:00Z"),
        ("trial pro 10-03, pro 10-17, paused pro 10-20", NOW, to_trial_end("11-01"),
         "it would go from trialing to paused at 2026-11-01T00:00:00Z"),
        ("trial pro 10-03 .. 10-17 cancelled", NOW, ConvertTrial(), "take the cancellation back"),
        ("pro 09-01", NOW, ConvertTrial(), "acme is active: no trial is running"),
        ("trial pro 10-03, pro 10-17", NOW, ConvertTrial(when=when("10-17")),
         "its trial is over then"),
        ("pro 09-01", NOW, withdraw("11-01"), "nothing is scheduled for .*; ahead is nothing"),
        ("pro 09-01, free 10-05", NOW, withdraw("10-05"), "nothing is scheduled for"),
        ("pro 09-01, free 12-01", NOW, withdraw("11-01"), "ahead is pro → free at 2026-12-01"),
        ("trial pro 10-03, pro 10-17", NOW, withdraw("10-17"), "is moved by `extend-trial` or"),
        ("free 09-01", NOW, move("now"), "`move` at 2026-10-11T09:30:00Z would change nothing"),
    ],
)  # fmt: skip
def test_a_command_that_the_state_does_not_allow_is_refused_with_a_remedy(
    before: str, now: str, command: Command, reason: str
) -> None:
    with pytest.raises(ChangeRefused, match=reason):
        carry_out(a_life(before), command, when(now), CATALOGS)


@pytest.mark.parametrize(
    ("before", "command", "reason"),
    [
        ("", Start(plan="team", version=1), "'team' is not in price list 1; there are free, pro"),
        ("", Start(plan="pro", version=7), "there is no version 7 of the price list: 1, 2, 3"),
        ("", start("pro", ends_ms=when("10-01")), "the plan would be over at 2026-10-01"),
        ("", start("pro", trial_days=14, ends_ms=when("10-20")), "over within its trial"),
        ("", start("pro", converts=False), "a trial that ends without the plan has days"),
        ("", start("pro", anchor="anniversary"), "price list 1 bills by calendar months; write"),
        ("pro 09-01 .. 10-01", Start(plan="pro", anchor="anniversary"),
         "begin on day 1 and did so"),
        ("pro 09-01", Change(plan="free", when=when("10-20") + 1), "is not a whole second"),
        ("pro 09-01", pause("now", "10-05"), "a pause ends after it begins"),
    ],
)  # fmt: skip
def test_a_command_that_names_what_is_not_there_is_refused(
    before: str, command: Command, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        carry_out(a_life(before), command, when(NOW), CATALOGS)


def test_an_anniversary_needs_the_newest_price_list_too() -> None:
    allowed, not_allowed = CATALOGS[3], CATALOGS[1]
    command = start("pro", anchor="anniversary")
    with pytest.raises(InvalidInput, match="price list 2 bills by calendar months"):
        carry_out(a_life(""), command, when(NOW), {1: allowed, 2: not_allowed})
    assert carry_out(a_life(""), command, when(NOW), {1: allowed, 2: allowed})


def test_what_is_unpaid_refuses_a_pause_and_nothing_else() -> None:
    life = a_life("pro 09-01")
    with pytest.raises(ChangeRefused, match="acme is past due: it cannot be paused while"):
        carry_out(life, pause("now"), when(NOW), CATALOGS, is_owing=True)
    for command in (change("free"), cancel("now"), to_year("now")):
        assert carry_out(life, command, when(NOW), CATALOGS, is_owing=True)
