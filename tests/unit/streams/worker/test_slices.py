"""A fetch is counted in slices of time, each record once and in order."""

from collections.abc import Iterator
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.slices import SLICE_S, Slices


class Clock:
    """Time goes on by what counting a record takes."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def taken(costs: list[float]) -> Iterator[list[int]]:
    """The records of each slice; the one at index n takes so many slices to count."""
    clock = Clock()
    slices = Slices(cast(Any, range(len(costs))), clock)
    while slices.has_more:
        part: list[int] = []
        for record in slices:
            part.append(cast(int, record))
            clock.now_s += costs[part[-1]] * SLICE_S
        yield part


@given(st.lists(st.sampled_from([0.0, 0.3, 0.6, 3.0]), max_size=20))
def test_no_slice_goes_on_when_its_time_is_over(costs: list[float]) -> None:
    parts = list(taken(costs))
    assert [record for part in parts for record in part] == list(range(len(costs)))
    for part in parts:
        assert sum(costs[record] for record in part[:-1]) < 1
    for part in parts[:-1]:
        assert sum(costs[record] for record in part) >= 1


def test_what_takes_no_time_is_one_slice() -> None:
    assert list(taken([0.0] * 2000)) == [list(range(2000))]


def test_a_slice_that_is_broken_off_is_the_last() -> None:
    slices = Slices(cast(Any, range(9)))
    assert next(iter(slices)) == cast(Any, 0)
    assert not slices.has_more
