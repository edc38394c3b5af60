"""Items made ahead are the same items, and one at a time."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.columns.ahead import made_ahead, side_by_side


def test_the_items_and_their_order_are_the_same() -> None:
    assert list(made_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(made_ahead(iter(()))) == []


def test_the_next_is_made_while_one_is_used_and_no_further_one() -> None:
    made: list[int] = []
    second, third = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        for number, event in enumerate((threading.Event(), second, third)):
            made.append(number)
            event.set()
            yield number

    found = made_ahead(items())
    assert next(found) == 0
    assert second.wait(5)
    assert made == [0, 1]
    assert next(found) == 1
    assert third.wait(5)
    assert list(found) == [2]


def test_what_breaks_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found = made_ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)


def test_side_by_side_the_order_stays_and_few_wait() -> None:
    begun: list[int] = []
    both = threading.Barrier(2)

    def work(number: int) -> int:
        begun.append(number)
        both.wait(5)  # two are under way at the same time, or this breaks
        return number * number

    found = side_by_side(work, range(6))
    assert next(found) == 0
    assert set(begun) <= {0, 1, 2}
    assert list(found) == [1, 4, 9, 16, 25]
    assert list(side_by_side(work, ())) == []


def test_side_by_side_what_breaks_is_raised_in_its_place() -> None:
    found = side_by_side(lambda number: 6 // number, (3, 2, 0))
    assert [next(found), next(found)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(found)
