"""What has happened to a subscription by itself, and is recorded once."""

from dataclasses import replace

import pytest

from pipelines.plans.plan_clock import settle
from schemas.plan_change import PlanEntry, PlanLife
from schemas.plan_state import State, next_bound
from tests.plan_lives import a_life, shown, when


def looked_at(life: str, last: str, state: State | None, *, is_owing: bool = False) -> PlanLife:
    """A subscription that was last looked at, at an instant, in a state."""
    subscription = a_life(life)
    following_ms = next_bound(subscription, when(last))
    return PlanLife(subscription, 1, state, following_ms, is_owing)


def told(entry: PlanEntry) -> str:
    return f"{shown(entry.effective_ms)} {entry.from_state} → {entry.to_state}: {entry.what}"


@pytest.mark.parametrize(
    ("life", "last", "state", "expected"),
    [
        ("pro 10-01", "10-02", "active", []),
        ("pro 10-01", "09-20", None, ["10-01 None → active: starts pro"]),
        ("trial pro 10-01, pro 10-15", "10-02", "trialing",
         ["10-15 trialing → active: the trial is over"]),
        ("trial pro 10-01 .. 10-15", "10-02", "trialing", ["10-15 trialing → expired: expires"]),
        ("trial pro 10-01 .. 10-15 cancelled", "10-02", "trialing",
         ["10-15 trialing → cancelled: cancelled"]),
        ("pro 09-01, free 10-16", "10-02", "active", ["10-16 active → active: pro → free"]),
        ("pro 09-01, free 10-16", "10-02", "past_due", ["10-16 past_due → past_due: pro → free",
         "10-31 past_due → active: nothing is past due any more"]),
        ("pro 09-01 .. 10-16 cancelled", "10-02", "active",
         ["10-16 active → cancelled: cancelled"]),
        ("pro 09-01 .. 10-16", "10-02", "active", ["10-16 active → expired: expires"]),
        ("pro 09-01, paused pro 10-05, pro 10-16", "10-02", "active",
         ["10-05 active → paused: paused", "10-16 paused → active: resumed"]),
        ("pro 09-01, paused pro 10-05", "10-02", "past_due",
         ["10-05 past_due → paused: paused"]),
        # after weeks without anyone looking, all that happened, in order
        ("trial pro 09-01, pro 09-15, free 10-01 .. 10-10 cancelled, pro 10-20", "09-02",
         "trialing",
         ["09-15 trialing → active: the trial is over", "10-01 active → active: pro → free",
          "10-10 active → cancelled: cancelled", "10-20 cancelled → active: starts pro"]),
        # what was seen already, and what lies ahead, is no news
        ("pro 09-01, free 10-16, pro 12-01", "10-16", "active", []),
    ],
)  # fmt: skip
def test_what_the_clock_did(life: str, last: str, state: State | None, expected: list[str]) -> None:
    found = settle(looked_at(life, last, state), when("10-31"))
    assert [told(entry) for entry in found.entries] == expected


@pytest.mark.parametrize(
    ("state", "is_owing", "expected"),
    [
        ("active", True, ["10-31 active → past_due: an invoice is past due"]),
        ("active", False, []),
        ("past_due", True, []),
        ("past_due", False, ["10-31 past_due → active: nothing is past due any more"]),
    ],
)
def test_what_is_owed_moves_an_active_subscription(
    state: State, is_owing: bool, expected: list[str]
) -> None:
    life = looked_at("pro 10-01", "10-02", state, is_owing=is_owing)
    assert [told(entry) for entry in settle(life, when("10-31")).entries] == expected


@pytest.mark.parametrize("state", ["trialing", "paused", "cancelled", "expired"])
def test_what_is_owed_moves_no_other(state: State) -> None:
    assert (
        settle(looked_at("pro 10-01", "10-02", state, is_owing=True), when("10-31")).entries == ()
    )


def test_after_a_pause_what_is_owed_is_told() -> None:
    life = looked_at("pro 09-01, paused pro 10-05, pro 10-16", "10-06", "paused", is_owing=True)
    assert [told(entry) for entry in settle(life, when("10-31")).entries] == [
        "10-16 paused → active: resumed",
        "10-31 active → past_due: an invoice is past due",
    ]


def test_looking_twice_finds_nothing_the_second_time() -> None:
    life = looked_at("trial pro 10-01, pro 10-15", "10-02", "trialing")
    first = settle(life, when("10-31"))
    again = replace(
        life, state=first.state, next_move_ms=next_bound(life.subscription, when("10-31"))
    )
    assert settle(again, when("10-31")).entries == ()
