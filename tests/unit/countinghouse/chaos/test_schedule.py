"""The faults of a run are a function of its seed, its length and its crew."""

from collections import Counter

import pytest

from countinghouse.chaos.schedule import (
    BROKER,
    COUNTERS,
    CREWS,
    FRONT,
    SESSION_MS,
    Fault,
    schedule,
)

MINUTE_MS = 60_000


def role(fault: Fault) -> str:
    return fault.target.partition("-")[0]


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_the_same_seed_gives_the_same_faults(seed: int) -> None:
    assert schedule(seed, 5 * MINUTE_MS, 3, 2) == schedule(seed, 5 * MINUTE_MS, 3, 2)


def test_another_seed_or_crew_gives_other_faults() -> None:
    first = schedule(1, 5 * MINUTE_MS, 3, 2)
    assert schedule(2, 5 * MINUTE_MS, 3, 2) != first
    assert schedule(1, 5 * MINUTE_MS, 2, 2) != first


@pytest.mark.parametrize("seed", range(50))
def test_the_shortest_run_has_a_kill_a_freeze_the_broker_and_the_front(seed: int) -> None:
    faults = schedule(seed, 45_000, 3, 2)
    assert any(fault.kind == "kill" and role(fault) in CREWS for fault in faults)
    assert any(fault.kind == "freeze" and role(fault) == COUNTERS for fault in faults)
    assert {BROKER, FRONT} <= {fault.target for fault in faults}
    assert all(0 <= fault.at_ms < 50_000 for fault in faults)


def test_half_an_hour_has_over_a_hundred_faults_of_every_kind() -> None:
    faults = schedule(7, 30 * MINUTE_MS, 3, 2)
    kinds = Counter(fault.kind for fault in faults)
    assert sum(fault.is_of_a_process for fault in faults) >= 100
    assert set(kinds) == {
        "kill", "terminate", "freeze", "add", "remove", "change plans", "jump clock",
    }  # fmt: skip
    assert any(fault.target == FRONT and fault.lasts_ms == 20_000 for fault in faults)


def test_plans_change_all_the_time_and_clocks_jump() -> None:
    kinds = Counter(fault.kind for fault in schedule(7, 2 * MINUTE_MS, 3, 2))
    assert (kinds["change plans"], kinds["jump clock"]) == (23, 5)


@pytest.mark.parametrize("seed", range(20))
def test_workers_are_frozen_for_longer_than_their_session(seed: int) -> None:
    faults = schedule(seed, 30 * MINUTE_MS, 3, 2)
    frozen = [f for f in faults if f.kind == "freeze" and role(f) == COUNTERS]
    assert all(fault.lasts_ms > SESSION_MS for fault in frozen)


@pytest.mark.parametrize("seed", range(20))
def test_only_members_that_are_there_are_meant(seed: int) -> None:
    members = {
        f"{name}-{n + 1}" for name, size in zip(CREWS, (3, 2), strict=True) for n in range(size)
    }
    for fault in schedule(seed, 30 * MINUTE_MS, 3, 2):
        if fault.kind == "add":
            assert fault.target not in members
            members.add(fault.target)
        elif role(fault) in CREWS:
            assert fault.target in members
        if fault.kind == "remove":
            members.remove(fault.target)
        assert all(any(name.startswith(crew) for name in members) for crew in CREWS)
