"""Which state a timeline stands for, which may follow, and where two timelines first differ."""

from typing import get_args

import pytest

from schemas.plan_state import (
    MOVES,
    State,
    bounds,
    first_difference,
    may_follow,
    next_bound,
    state_at,
)
from tests.plan_lives import a_life, when


@pytest.mark.parametrize(
    ("life", "instant", "state"),
    [
        ("pro 10-11", "10-10", None),
        ("", "10-10", None),
        ("pro 10-11", "10-11", "active"),
        ("trial pro 10-01, pro 10-15", "10-14 23:59:59", "trialing"),
        ("trial pro 10-01, pro 10-15", "10-15", "active"),
        ("pro 10-01, paused pro 10-15, pro 11-01", "10-15", "paused"),
        ("pro 10-01, paused pro 10-15, pro 11-01", "11-01", "active"),
        ("pro 10-01 .. 11-01", "10-31 23:59:59", "active"),
        ("pro 10-01 .. 11-01", "11-01", "expired"),
        ("pro 10-01 .. 11-01 cancelled", "11-01", "cancelled"),
        ("trial pro 10-01 .. 10-15", "10-15", "expired"),
        ("pro 09-01 .. 10-01 cancelled, free 11-01 .. 12-01", "10-15", "cancelled"),
        ("pro 09-01 .. 10-01 cancelled, free 11-01 .. 12-01", "12-24", "expired"),
    ],
)
def test_a_state_is_read_from_the_timeline(life: str, instant: str, state: State | None) -> None:
    assert state_at(a_life(life), when(instant)) == state


@pytest.mark.parametrize(
    ("life", "state"),
    [
        ("pro 10-01", "past_due"),
        ("trial pro 10-01", "trialing"),
        ("paused pro 10-01", "paused"),
        ("pro 09-01 .. 10-01 cancelled", "cancelled"),
    ],
)
def test_only_an_active_subscription_is_past_due(life: str, state: State) -> None:
    assert state_at(a_life(life), when("10-11"), is_past_due=True) == state


ALLOWED = """
    None trialing    None active
    trialing active  trialing cancelled  trialing expired
    active paused    active past_due     active cancelled    active expired
    paused active    paused cancelled    paused expired
    past_due active  past_due cancelled  past_due paused     past_due expired
    cancelled trialing  cancelled active
    expired trialing    expired active
"""


def test_the_moves_are_these_and_no_others() -> None:
    words = ALLOWED.split()
    allowed = set(zip(words[::2], words[1::2], strict=True))
    states = (None, *get_args(State))
    assert {*MOVES} == {*states}
    found = {
        (str(before), str(after))
        for before in states
        for after in states
        if before != after and may_follow(before, after)
    }
    assert found == allowed
    assert all(may_follow(state, state) for state in states)


def test_bounds_are_where_something_begins_or_ends() -> None:
    life = a_life("pro 09-01 .. 10-01, free 11-01, pro 12-01")
    assert bounds(life) == [when(day) for day in ("09-01", "10-01", "11-01", "12-01")]
    assert next_bound(life, when("10-01")) == when("11-01")
    assert next_bound(life, when("12-01")) is None


@pytest.mark.parametrize(
    ("before", "after", "first"),
    [
        ("pro 09-01", "pro 09-01", None),
        ("pro 09-01", "pro 09-01, free 11-01", "11-01"),
        ("pro 09-01, free 11-01", "pro 09-01", "11-01"),
        ("pro 09-01, free 11-01", "pro 09-01, free@2 11-01", "11-01"),
        ("pro 09-01, free 11-01", "pro 09-01, paused free 11-01", "11-01"),
        ("pro 09-01, free 11-01", "pro 09-01, free/year 11-01", "11-01"),
        ("pro 09-01", "pro 08-01", "08-01"),
        ("pro 09-01 .. 11-01", "pro 09-01 .. 12-01", "11-01"),
        # who ended it, and a bound between equal plans, differ too: invoices have two lines there
        ("pro 09-01 .. 11-01", "pro 09-01 .. 11-01 cancelled", "11-01"),
        ("pro 09-01", "pro 09-01, pro 10-01", "10-01"),
        ("", "pro 10-01", "10-01"),
    ],
)
def test_two_lives_differ_from_an_instant_on(before: str, after: str, first: str | None) -> None:
    expected = None if first is None else when(first)
    assert first_difference(a_life(before), a_life(after)) == expected


def test_a_new_life_and_one_of_another_anchor_differ_from_their_beginning() -> None:
    life = a_life("pro 09-01, free 11-01")
    assert first_difference(None, life) == when("09-01")
    assert first_difference(a_life("pro 09-01, free 11-01", 16), life) == when("09-01")
    assert first_difference(a_life("pro 09-01", 16), a_life("pro 12-01")) == when("09-01")
