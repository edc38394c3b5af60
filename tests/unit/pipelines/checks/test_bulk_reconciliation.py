"""Figures compared in bulk are the specification's, for any usage, counters and subscriptions."""

from collections.abc import Mapping
from dataclasses import astuple, replace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.checks import bulk_reconciliation, reconciliation
from pipelines.checks.bulk_reconciliation import Figures, Terms
from pipelines.columns.tables import rows_of, table_of
from pipelines.segments.segment_tables import segment_table
from pipelines.segments.segments import parts
from schemas.catalog import Catalog
from schemas.closing import CounterComparison
from schemas.quantity import MOST_MICRO
from schemas.quota import WindowKind
from schemas.subscription import Subscription
from schemas.tables import COUNTER_COLUMNS, TOTAL_COLUMNS, USAGE_COLUMNS
from tests.builders import OCTOBER, a_subscription, at, llm_tokens
from tests.strategies import catalogs, subscriptions

TENANTS = ("a", "b", "c", "d", "stranger")
METERS = ("tokens", "calls", "input_tokens")
KEYS = st.tuples(st.sampled_from(TENANTS), st.sampled_from(METERS))
QUANTITIES = st.integers(-3, 3).map(lambda whole: whole * 10**6) | st.sampled_from(
    (MOST_MICRO, -MOST_MICRO)
)
"""Few, so that figures agree as often as not; and the most that can be said."""

Totals = Mapping[tuple[str, str], int]


@st.composite
def subscribed(draw: st.DrawFn) -> list[Subscription]:
    """At most one subscription of each tenant, on any anchor."""
    found = st.lists(subscriptions(versions=(1, 2)), max_size=4, unique_by=lambda s: s.tenant)
    return [replace(s, anchor_day=draw(st.sampled_from((1, 1, 16)))) for s in draw(found)]


@st.composite
def counters(draw: st.DrawFn) -> list[CounterComparison]:
    """Counters of days and of billing periods, one a window."""
    starts = [at("10-01"), at("09-16"), at("10-16"), at("10-20"), at("10-31")]
    known: tuple[WindowKind, ...] = ("day", "billing_period")
    kinds = st.sampled_from(known)
    windows = draw(st.sets(st.tuples(KEYS, kinds, st.sampled_from(starts)), max_size=12))
    return [
        CounterComparison(*key, kind, start, *(draw(QUANTITIES) for _ in range(3)))
        for key, kind, start in sorted(windows)
    ]


USED = st.lists(st.tuples(KEYS, st.integers(0, 3), QUANTITIES), max_size=12)
TOTALS = st.dictionaries(KEYS, QUANTITIES, max_size=8)
VERSIONS = st.fixed_dictionaries({1: catalogs(), 2: catalogs()})


@settings(max_examples=40)
@given(
    subscribed(),
    st.none() | counters(),
    TOTALS,
    TOTALS,
    USED,
    VERSIONS,
    st.sets(st.sampled_from(METERS)),
)
def test_figures_compared_in_bulk_equal_the_specification(
    found: list[Subscription],
    compared: list[CounterComparison] | None,
    warehouse: Totals,
    billed: Totals,
    used: list[tuple[tuple[str, str], int, int]],
    versions: dict[int, Catalog],
    uncounted: set[str],
) -> None:
    subscribed = [each for each in found if parts(each, each.billed_in(OCTOBER))]
    invoiced = [each.tenant for each in subscribed]
    usage = table_of(((*key, n, "", micro, 1) for key, n, micro in used), USAGE_COLUMNS)
    anchored = {s.tenant: s.billed_in(OCTOBER) for s in found if s.anchor_day != 1}
    figures = reconciliation.Figures(
        None if compared is None else reconciliation.of_month(compared, OCTOBER, anchored),
        warehouse,
        billed,
        reconciliation.unpriced_quantities(rows_of(usage), subscribed, OCTOBER, versions),
    )
    specified = reconciliation.compare(
        figures, invoiced, ["calls", "tokens"], OCTOBER, uncounted=uncounted
    )
    tables = Figures(
        None if compared is None else table_of(map(astuple, compared), COUNTER_COLUMNS),
        _totals(warehouse),
        _totals(billed),
        usage,
        segment_table(found),
    )
    terms = Terms(OCTOBER, versions, ["calls", "tokens"], uncounted)
    names = table_of([(name, "", 0) for name in invoiced], TOTAL_COLUMNS)["tenant"]
    bulk = bulk_reconciliation.compare(tables, names, terms)
    assert reconciliation.rows_of_table(bulk) == specified


def _totals(found: Totals) -> pa.Table:
    return table_of(((*key, micro) for key, micro in found.items()), TOTAL_COLUMNS)


def test_what_is_billed_on_several_lines_is_added_up() -> None:
    rows = [("acme", "tokens", 2), ("acme", "tokens", 3)]
    found = segment_table([a_subscription("pro 09-01")])
    usage = table_of([("acme", "tokens", 1, "", 5, 1)], USAGE_COLUMNS)
    tables = Figures(
        None,
        table_of([("acme", "tokens", 5)], TOTAL_COLUMNS),
        table_of(rows, TOTAL_COLUMNS),
        usage,
        found,
    )
    terms = Terms(OCTOBER, {1: llm_tokens()}, ["tokens"])
    [row] = reconciliation.rows_of_table(
        bulk_reconciliation.compare(tables, found["tenant"], terms)
    )
    assert (row.billed_micro, row.unpriced_micro, row.held) == (5, 0, None)


def test_tenants_compared_some_after_the_others_are_those_compared_together() -> None:
    names = ("acme", "design", "upgrade")
    found = segment_table([a_subscription("pro 09-01", name) for name in names])
    everybody = sorted([*names, "before", "between", "zzz"])
    keys = [(name, "tokens") for name in everybody]
    usage = table_of(((*key, 1, "", 5, 1) for key in keys), USAGE_COLUMNS)
    totals = table_of(((*key, 5) for key in keys), TOTAL_COLUMNS)
    billed = table_of(((name, "tokens", 5) for name in names), TOTAL_COLUMNS)
    figures = Figures(None, totals, billed, usage, found)
    terms = Terms(OCTOBER, {1: llm_tokens()}, ["tokens"])
    invoiced = found["tenant"]
    together = bulk_reconciliation.compare(figures, invoiced, terms)
    for at_once in (1, 2):
        parts = bulk_reconciliation.compare(figures, invoiced, terms, at_once)
        assert parts.to_pylist() == together.to_pylist()
    assert [row["tenant"] for row in together.to_pylist()] == everybody
