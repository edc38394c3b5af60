"""Counter, warehouse and invoice side by side: what holds a tenant, and what is explained."""

import pytest

from pipelines.checks.reconciliation import (
    Figures,
    compare,
    explained,
    held_reasons,
    of_month,
    unpriced_quantities,
)
from schemas.closing import CounterComparison, Reconciliation
from schemas.period import parse_instant
from schemas.quota import WindowKind
from tests.builders import OCTOBER, a_subscription, llm_tokens, units

KEY = ("acme", "tokens")


def a_counter(
    counter: int,
    warehouse: int,
    repeats: int,
    kind: WindowKind = "billing_period",
    start: str = "2026-10-01T00:00:00Z",
) -> CounterComparison:
    """A compared counter in whole units."""
    quantities = map(units, (counter, warehouse, repeats))
    return CounterComparison(*KEY, kind, parse_instant(start), *quantities)


def a_row(
    counter: tuple[int, int, int] | None, warehouse: int, billed: int, unpriced: int = 0
) -> Reconciliation:
    """One compared row of whole units; `counter` is its own, the warehouse then, late repeats."""
    counters = [a_counter(*counter)] if counter else []
    figures = Figures(
        counters, {KEY: units(warehouse)}, {KEY: units(billed)}, {KEY: units(unpriced)}
    )
    [row] = compare(figures, ["acme"], ["tokens"], OCTOBER)
    return row


@pytest.mark.parametrize(
    ("counter", "warehouse", "billed", "unpriced", "held"),
    [
        ((5, 5, 0), 5, 5, 0, None),
        ((5, 5, 0), 5, 3, 2, None),
        ((7, 5, 2), 5, 5, 0, None),
        ((9, 9, 0), 5, 5, 0, None),
        ((0, 0, 0), 0, 0, 0, None),
        ((6, 5, 0), 5, 5, 0, "the counter says 6, the warehouse 5 and 0 in late repeats"),
        ((4, 5, 0), 5, 5, 0, "the counter says 4, the warehouse 5 and 0 in late repeats"),
        (None, 5, 5, 0, "the counter says 0, the warehouse 5 and 0 in late repeats"),
        ((5, 5, 0), 5, 3, 1, "the warehouse has 5, the invoice 3 and 1 outside it"),
        ((-1, -1, 0), -1, -1, 0, "the billed quantity -1 is negative"),
        ((-1, -1, 0), -1, 0, -1, None),
        (
            (1, 2, 0), 2, -1, 0,
            "the counter says 1, the warehouse 2 and 0 in late repeats; "
            "the warehouse has 2, the invoice -1 and 0 outside it; "
            "the billed quantity -1 is negative",
        ),
    ],
)  # fmt: skip
def test_what_holds_a_tenant(
    counter: tuple[int, int, int] | None,
    warehouse: int,
    billed: int,
    unpriced: int,
    held: str | None,
) -> None:
    assert a_row(counter, warehouse, billed, unpriced).held == held


def test_a_counter_that_went_on_is_shown_as_of_the_cut() -> None:
    assert a_row((9, 9, 0), 5, 5).counter_micro == units(5)
    assert a_row((11, 9, 2), 5, 5).counter_micro == units(7)


def test_the_month_s_counter_is_its_days_where_periods_begin_on_another_day() -> None:
    days = [
        a_counter(5, 3, 2, "day", "2026-10-03T00:00:00Z"),
        a_counter(4, 4, 0, "day", "2026-10-30T00:00:00Z"),
    ]
    period = a_counter(9, 9, 0, start="2026-10-15T00:00:00Z")
    month = a_counter(9, 9, 0)
    assert of_month([*days, period], OCTOBER) == [a_counter(9, 7, 2)]
    assert of_month([*days, month], OCTOBER) == [month]


def test_without_counters_only_warehouse_and_invoice_are_compared() -> None:
    figures = Figures(None, {KEY: 5}, {KEY: 5}, {})
    [row] = compare(figures, ["acme"], ["tokens"], OCTOBER)
    assert (row.counter_micro, row.held) == (None, None)


def test_a_meter_that_is_only_counted_needs_no_counter() -> None:
    figures = Figures([], {("acme", "calls"): 5}, {}, {("acme", "calls"): 5})
    rows = compare(figures, ["acme"], ["tokens"], OCTOBER)
    assert [(row.meter, row.counter_micro, row.held) for row in rows] == [
        ("calls", None, None),
        ("tokens", 0, None),
    ]


def test_a_meter_that_counters_do_not_follow_is_compared_with_the_invoice_alone() -> None:
    figures = Figures([], {KEY: 5}, {KEY: 4}, {})
    [row] = compare(figures, ["acme"], ["tokens"], OCTOBER, uncounted={"tokens"})
    assert row.counter_micro is None
    assert row.held == "the warehouse has 0.000005, the invoice 0.000004 and 0 outside it"


def test_reasons_are_gathered_by_tenant_and_name_the_meter() -> None:
    rows = [
        Reconciliation("acme", "calls", 1, 1, 0, 1, 0, "one"),
        Reconciliation("acme", "tokens", 1, 1, 0, 1, 0, "two"),
        Reconciliation("fine", "tokens", 1, 1, 0, 1, 0, None),
    ]
    assert held_reasons(rows) == {"acme": "calls: one; tokens: two"}


def test_what_is_explained_is_told_by_cause_and_meter() -> None:
    rows = [a_row((7, 5, 2), 5, 3, 2), a_row((1, 1, 0), 1, 1)]
    assert explained(rows) == {
        ("beyond_window", "tokens"): units(2),
        ("unpriced", "tokens"): units(2),
    }


def test_usage_outside_plans_and_of_meters_without_a_price_is_unpriced() -> None:
    rows = [
        {"tenant": tenant, "meter": meter, "segment": segment, "quantity_micro": quantity}
        for tenant, meter, segment, quantity in (
            ("acme", "tokens", 1, 1),  # pro
            ("acme", "tokens", 2, 10),  # in the gap
            ("acme", "tokens", 3, 100),  # pro again
            ("acme", "tokens", 4, 1_000),  # after the end
            ("acme", "input_tokens", 1, 10_000),  # only counted
            ("stranger", "tokens", 0, 100_000),
        )
    ]
    subscription = a_subscription("pro 09-01 .. 10-11, pro 10-21 .. 10-25")
    unpriced = unpriced_quantities(rows, [subscription], OCTOBER, {1: llm_tokens()})
    assert unpriced == {
        ("acme", "tokens"): 1_010,
        ("acme", "input_tokens"): 10_000,
        ("stranger", "tokens"): 100_000,
    }
