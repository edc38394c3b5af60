"""Totals beside each other: who moves, how far, and which percentiles are told."""

import pytest

from pipelines.reports.movements import Move, Spread, added, largest, moves, summarize

BEFORE = {("acme", "USD"): 1000, ("bolt", "USD"): 400, ("core", "CNY"): 0, ("gone", "USD"): 50}
AFTER = {("acme", "USD"): 900, ("bolt", "USD"): 600, ("core", "CNY"): 70, ("new", "USD"): 1}


def test_who_is_on_one_side_alone_pays_nothing_on_the_other() -> None:
    assert moves(BEFORE, AFTER) == [
        Move("acme", "USD", 1000, 900),
        Move("bolt", "USD", 400, 600),
        Move("core", "CNY", 0, 70),
        Move("gone", "USD", 50, 0),
        Move("new", "USD", 0, 1),
    ]


@pytest.mark.parametrize(
    ("before", "after", "ppm"),
    [(1000, 900, -100_000), (3, 4, 333_333), (0, 5, None), (-100, -50, 500_000), (7, 7, 0)],
)
def test_a_change_is_a_share_of_what_was_paid(before: int, after: int, ppm: int | None) -> None:
    assert Move("acme", "USD", before, after).change_ppm == ppm


def test_currencies_are_summed_apart() -> None:
    cny, usd = summarize(moves(BEFORE, AFTER))
    assert (cny.currency, cny.tenants, cny.losers, cny.change_minor, cny.ppm) == (
        "CNY", 1, 1, 70, None,
    )  # fmt: skip
    assert (usd.before_minor, usd.after_minor, usd.winners, usd.losers) == (1450, 1501, 2, 2)
    assert usd.minor == Spread(-100, -50, 200)
    assert (usd.tenants, usd.paid_before, cny.paid_before) == (4, 3, 0)


@pytest.mark.parametrize(
    ("count", "spread"),
    [(1, (1, 1, 1)), (2, (1, 1, 2)), (20, (1, 10, 19)), (100, (5, 50, 95)), (101, (6, 51, 96))],
)
def test_a_percentile_is_the_change_of_a_real_tenant(
    count: int, spread: tuple[int, int, int]
) -> None:
    found = [Move(f"t{n:03}", "USD", 0, n) for n in range(1, count + 1)]
    [movement] = summarize(found)
    assert movement.minor == Spread(*spread)


def test_months_are_added_up_and_the_largest_change_of_a_currency_comes_first() -> None:
    twice = moves(added([BEFORE, BEFORE]), added([AFTER, AFTER]))
    assert [(move.tenant, move.change_minor) for move in largest(twice, 3)] == [
        ("core", 140), ("bolt", 400), ("acme", -200), ("gone", -100),
    ]  # fmt: skip
    assert [move.tenant for move in largest(twice, 1)] == ["core", "bolt"]
    assert largest(moves(BEFORE, BEFORE), 3) == []
