"""What becomes of a subscription by itself: by the time that passes, and by what is owed.

Nothing is decided here: the timeline says what happens when. It only finds out what has happened
and was not recorded yet, so that it may be asked at any time, and twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.plans.plan_schedule import bound_in_words
from schemas.period import format_instant
from schemas.plan_change import CLOCK, PlanEntry, PlanLife
from schemas.plan_state import State, bounds, state_at


@dataclass(frozen=True, slots=True)
class Settled:
    """What was not recorded yet, in order, and the state that it leads to."""

    entries: tuple[PlanEntry, ...]
    state: State | None


def settle(life: PlanLife, now_ms: int) -> Settled:
    """All that has happened to a subscription since it was last looked at."""
    entries = list(_by_time(life, now_ms))
    state = entries[-1].to_state if entries else life.state
    owed = by_debt(state, now_ms, is_owing=life.is_owing)
    if owed is not None:
        entries.append(owed)
        state = owed.to_state
    return Settled(tuple(entries), state)


def by_debt(state: State | None, now_ms: int, *, is_owing: bool) -> PlanEntry | None:
    """Whether what is owed, or no longer owed, moves a subscription of a state."""
    if state == "active" and is_owing:
        return _entry(f"owing:{now_ms}", "an invoice is past due", (state, "past_due"), now_ms)
    if state == "past_due" and not is_owing:
        return _entry(f"paid:{now_ms}", "nothing is past due any more", (state, "active"), now_ms)
    return None


def _by_time(life: PlanLife, now_ms: int) -> Iterator[PlanEntry]:
    state = life.state
    for at_ms in bounds(life.subscription):
        if life.next_move_ms is None or not life.next_move_ms <= at_ms <= now_ms:
            continue
        words = bound_in_words(life.subscription, at_ms)
        new = state_at(life.subscription, at_ms, is_past_due=state == "past_due")
        if words:
            key = f"clock:{format_instant(at_ms)}"
            yield _entry(key, words, (state, new), now_ms, at_ms)
            state = new


def _entry(
    key: str,
    what: str,
    states: tuple[State | None, State | None],
    now_ms: int,
    at_ms: int | None = None,
) -> PlanEntry:
    return PlanEntry(
        command=CLOCK,
        request="{}",
        key=key,
        who=CLOCK,
        why="by payments" if at_ms is None else "as scheduled",
        what=what,
        recorded_ms=now_ms,
        effective_ms=now_ms if at_ms is None else at_ms,
        from_state=states[0],
        to_state=states[1],
    )
