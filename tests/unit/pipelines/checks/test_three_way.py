"""Counter, warehouse, invoice: a fault put into each place is named by its cause."""

import pytest

from pipelines.checks.three_way import Readings, three_way
from schemas.closing import CounterComparison

KEY = ("acme", "tokens")


def counted(counter: int, warehouse: int, repeats: int = 0) -> CounterComparison:
    return CounterComparison(*KEY, "billing_period", 0, counter, warehouse, repeats)


CASES = [
    # counter, warehouse at it, repeats; warehouse now, at the cut, billed; late, duplicate,
    # in flight, lost
    ((10, 10, 0), (10, 10, 10), (0, 0, 0, 0)),
    ((15, 15, 0), (15, 10, 10), (5, 0, 0, 0)),
    ((15, 15, 0), (15, 10, 12), (3, 0, 0, 0)),
    ((15, 15, 0), (15, 10, 15), (0, 0, 0, 0)),
    ((13, 10, 3), (10, 10, 10), (0, 3, 0, 0)),
    ((8, 8, 0), (10, 10, 10), (0, 0, 2, 0)),
    ((9, 10, 0), (10, 10, 10), (0, 0, 0, -1)),
    ((10, 10, 0), (10, 10, 7), (0, 0, 0, 3)),
    ((10, 10, 0), (10, 12, 12), (-2, 0, 0, 0)),
]


@pytest.mark.parametrize(("counter", "stored", "causes"), CASES)
def test_each_difference_has_its_cause(
    counter: tuple[int, int, int], stored: tuple[int, int, int], causes: tuple[int, ...]
) -> None:
    now, at_cut, billed = ({KEY: micro} for micro in stored)
    [row] = three_way(Readings(now, [counted(*counter)], at_cut, billed))
    assert (
        row.late_micro,
        row.duplicate_micro,
        row.in_flight_micro,
        row.lost_micro,
    ) == causes


def test_what_was_void_is_neither_lost_nor_late() -> None:
    [row] = three_way(Readings({KEY: 15}, [counted(15, 15)], {KEY: 10}, {KEY: 0}, {KEY: 10}))
    assert (row.late_micro, row.void_micro, row.lost_micro) == (5, 10, 0)
    [row] = three_way(Readings({KEY: 10}, [counted(10, 10)], {KEY: 10}, {KEY: 0}, {KEY: 7}))
    assert (row.void_micro, row.lost_micro) == (7, 3)


def test_a_month_that_is_not_billed_has_no_third_figure() -> None:
    [row] = three_way(Readings({KEY: 10}, [counted(10, 10)]))
    assert (row.invoiced_micro, row.causes) == (None, [])


def test_what_no_counter_knows_is_told_without_one() -> None:
    [row] = three_way(Readings({KEY: 10}, [], {KEY: 10}, {KEY: 10}))
    assert (row.counter_micro, row.causes) == (None, [])
