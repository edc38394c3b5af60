"""Items made ahead are the same items, and one at a time."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.ahead import made_ahead


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
