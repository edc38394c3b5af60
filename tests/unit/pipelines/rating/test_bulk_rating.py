"""The bulk engine is the specification, line by line, for any prices, subscriptions and usage."""

from dataclasses import replace
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.columns.tables import line_of, lines_by_subscription, rows_of
from pipelines.rating import bulk_rating
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import Usage as Used
from pipelines.rating.rating import rate_usage
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.money import MOST_MINOR
from schemas.quantity import MOST_MICRO
from schemas.subscription import Phase, Subscription
from schemas.tables import LINE_COLUMNS
from tests.builders import (
    OCTOBER,
    a_subscription,
    llm_tokens,
    some_usage,
    units,
    usage_table,
    used,
)
from tests.strategies import catalogs, subscriptions, usage_of

Lines = dict[str, tuple[InvoiceLine, ...]]
Usage = dict[str, Used]


@st.composite
def months(
    draw: st.DrawFn, with_policies: bool = False
) -> tuple[dict[int, Catalog], list[Subscription], Usage]:
    """Two versions of a price list, two to four tenants on them, and what they used."""
    some = st.lists(
        subscriptions(versions=(1, 2)), min_size=2, max_size=4, unique_by=lambda s: s.tenant
    )
    # Before the price lists: what is drawn last is drawn poorest.
    found = draw(some)
    usage = {s.tenant: draw(usage_of(s)) for s in found}
    return {n: draw(catalogs(with_policies)) for n in (1, 2)}, found, usage


@settings(max_examples=30)
@given(st.one_of(months(), months(with_policies=True)))
def test_bulk_lines_equal_the_specification(
    month: tuple[dict[int, Catalog], list[Subscription], Usage],
) -> None:
    versions, found, usage = month
    charges = bulk_rating.rate_charges(_table(usage), segment_table(found), OCTOBER, versions)
    fees = bulk_rating.prorate_fees(segment_table(found), OCTOBER, versions)
    assert _lines(charges) == {
        s.id: lines
        for s in found
        if (lines := tuple(rate_usage(s, OCTOBER, versions, usage[s.tenant])))
    }
    assert _lines(fees) == {
        s.id: lines for s in found if (lines := tuple(prorate_fees(s, OCTOBER, versions)))
    }


@settings(max_examples=10)
@given(months(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    month: tuple[dict[int, Catalog], list[Subscription], Usage], random: Random
) -> None:
    versions, found, usage = month
    once = bulk_rating.rate_charges(_table(usage), segment_table(found), OCTOBER, versions)
    rows = [(t, *key, q, 1) for t, own in usage.items() for key, q in own.items()]
    random.shuffle(rows)
    random.shuffle(found)
    shuffled = usage_table(rows)
    again = bulk_rating.rate_charges(shuffled, segment_table(found), OCTOBER, versions)
    assert again.equals(once)


@settings(max_examples=10)
@given(months(), st.randoms(use_true_random=False))
def test_how_many_are_rated_at_once_does_not_matter(
    month: tuple[dict[int, Catalog], list[Subscription], Usage], random: Random
) -> None:
    versions, found, usage = month
    rows = [(t, *key, q, 1) for t, own in usage.items() for key, q in own.items()]
    rows += [("aa", "tokens", 1, "", 5, 1), ("z", "tokens", 1, "", 5, 1)]
    random.shuffle(rows)
    rating = bulk_rating.BulkRating(segment_table(found), OCTOBER, versions, at_once=1)
    parts = list(rating.charges(usage_table(rows)))
    assert len(parts) == max(len(found), 1)
    assert _lines(pa.concat_tables(parts)) == _lines(
        bulk_rating.rate_charges(_table(usage), segment_table(found), OCTOBER, versions)
    )
    fees = pa.concat_tables(rating.fees())
    assert fees.equals(bulk_rating.prorate_fees(segment_table(found), OCTOBER, versions))


@pytest.mark.parametrize(
    ("plans", "quantities"),
    [
        ("pro 09-01, pro 10-16", {1: 1_001_250, 2: -625}),  # half a cent back is a cent back
        ("pro 09-01, pro 10-16", {1: 1_001_250, 2: 625}),
        ("pro 09-01", {1: 1_000_624}),
        ("free 09-01, pro 10-11, enterprise 10-21", {1: 90_000, 2: 5_000_000, 3: 9_000_000}),
        ("pro 09-01 .. 10-11, pro 10-21", {1: 600_000, 2: 9_000_000, 3: 600_000}),
        ("enterprise 09-01, free 10-16 .. 10-20, pro 10-25", {1: 9_000_000, 4: 1_000_000}),
        ("pro 10-05 03:04:05, free 10-05 03:04:06, pro 10-31 23:59:59", {1: 1, 2: 1, 3: 1}),
    ],
)
def test_worked_subscriptions_are_rated_alike(plans: str, quantities: dict[int, int]) -> None:
    subscription, prices = a_subscription(plans), {1: llm_tokens()}
    usage = used(quantities)
    charges = bulk_rating.rate_charges(
        _table({"acme": usage}), segment_table([subscription]), OCTOBER, prices
    )
    fees = bulk_rating.prorate_fees(segment_table([subscription]), OCTOBER, prices)
    assert [line_of(row) for row in rows_of(charges)] == rate_usage(
        subscription, OCTOBER, prices, usage
    )
    assert [line_of(row) for row in rows_of(fees)] == prorate_fees(subscription, OCTOBER, prices)


@pytest.mark.parametrize(("phase", "kind"), [("active", "overage"), ("trial", "not_billed")])
def test_values_are_told_apart_where_they_have_a_price(phase: Phase, kind: str) -> None:
    body = llm_tokens().model_dump(mode="json")
    body["meters"]["tokens"] |= {"dimensions": ["model"], "priced_by": "model"}
    prices = {
        value: {"price": {"USD": price, "CNY": "7"}}
        for value, price in {"default": "1", "small": "0.5"}.items()
    }
    matrix = {"model": "matrix", "by": "model", "prices": prices}
    body["plans"]["pro"]["meters"]["tokens"] = {"included": "0", "overage": matrix}
    [paid] = a_subscription("pro 09-01").segments
    subscription = replace(a_subscription("pro 09-01"), segments=(replace(paid, phase=phase),))
    quantities = {"small": units(2), "odd": units(1), "": units(3), "back": units(-1)}
    usage = {("tokens", 1, value): micro for value, micro in quantities.items()}
    assert _kinds(subscription, {1: Catalog.model_validate(body)}, usage) == {kind}


@pytest.mark.parametrize("policies", [{}, {"included_on_upgrade": "full"}])
@pytest.mark.parametrize("sign", [1, -1])
def test_many_values_together_are_no_more_than_can_be_said(
    policies: dict[str, str], sign: int
) -> None:
    body = llm_tokens().model_dump(mode="json")
    body["meters"]["tokens"] |= {"dimensions": ["model"], "priced_by": "model"}
    for plan in body["plans"].values():
        plan["policies"] = policies
    values = [(segment, value) for segment in (1, 2) for value in ("small", "large", "")]
    usage = {("tokens", *each): sign * MOST_MICRO for each in values}
    plans = a_subscription("pro 09-01, enterprise 10-11")
    found = _kinds(plans, {1: Catalog.model_validate(body)}, usage)
    assert found == ({"included", "overage"} if sign == 1 else {"included"})


def test_a_meter_that_only_another_price_list_prices_is_not_billed() -> None:
    body = llm_tokens().model_dump(mode="json")
    for plan in body["plans"].values():
        plan["meters"] = {}
    earlier = Catalog.model_validate(body)
    found = a_subscription("pro 09-01, pro 10-16")
    [old, new] = found.segments
    subscription = replace(found, segments=(old, replace(new, catalog_version=2)))
    usage = used({1: 9_000_000, 2: 9_000_000})
    kinds = _kinds(subscription, {1: earlier, 2: llm_tokens()}, usage)
    assert kinds == {"included", "not_billed", "overage"}


@pytest.mark.parametrize("policies", [{}, {"included_on_upgrade": "full"}])
def test_a_plan_without_limit_frees_the_whole_pool_also_by_a_price_list_that_limits_no_plan(
    policies: dict[str, str],
) -> None:
    body = llm_tokens().model_dump(mode="json")
    for plan in body["plans"].values():
        plan["meters"] = {"tokens": {"included": None}}
        plan["policies"] = policies
    unlimited = Catalog.model_validate(body)
    found = a_subscription("pro 09-01, pro 10-16")
    [old, new] = found.segments
    subscription = replace(found, segments=(old, replace(new, catalog_version=2)))
    usage = used({1: 9_000_000, 2: 9_000_000})
    assert _kinds(subscription, {1: llm_tokens(), 2: unlimited}, usage) == {"included"}


def test_lines_have_the_contracts_columns_and_ordinals() -> None:
    subscription = a_subscription("free 09-01, pro 10-16")
    usage = some_usage(
        {("acme", "tokens", 1): units(60_000), ("acme", "tokens", 2): units(700_000)}
    )
    table = bulk_rating.rate_charges(
        usage, segment_table([subscription]), OCTOBER, {1: llm_tokens()}
    )
    assert {field.name: str(field.type) for field in table.schema} == LINE_COLUMNS
    rows = list(rows_of(table))
    assert [row["ordinal"] for row in rows] == [0, 1, 2]
    assert {(r["tenant"], r["subscription"], r["currency"]) for r in rows} == {
        ("acme", "sub_acme", "USD")
    }
    assert [line_of(row).amount_minor for row in rows] == [0, 0, 156]


def test_usage_of_tenants_without_a_subscription_makes_no_line() -> None:
    usage = some_usage({("stranger", "tokens", 0): units(5)})
    table = bulk_rating.rate_charges(
        usage, segment_table([a_subscription("pro 09-01")]), OCTOBER, {1: llm_tokens()}
    )
    assert table.num_rows == 0


def test_a_month_without_anything_has_no_lines() -> None:
    assert (
        bulk_rating.rate_charges(
            some_usage({}), segment_table([]), OCTOBER, {1: llm_tokens()}
        ).num_rows
        == 0
    )
    assert bulk_rating.prorate_fees(segment_table([]), OCTOBER, {1: llm_tokens()}).num_rows == 0


DEAR = (
    {"price": {"USD": "100000", "CNY": "100000"}},
    {"price": {"USD": "9223372.036854775807", "CNY": "9223372.036854775807"}},
    {"model": "package", "per": 7, "price": {"USD": "9223372", "CNY": "9223372"}},
    {
        "model": "graduated",
        "tiers": [
            {"up_to": 100_000_000_000, "price": {"USD": "9000000", "CNY": "9000000"}},
            {"flat": {"USD": "9000000", "CNY": "9000000"}},
        ],
    },
    {
        "model": "matrix",
        "by": "model",
        "prices": {"default": {"price": {"USD": "9000000", "CNY": "9000000"}}},
    },
)
"""Prices by which much usage costs more than 64 bits of minor units, or more than 128 of less."""


@pytest.mark.parametrize("price", DEAR)
@pytest.mark.parametrize("plans", ["pro 09-01", "pro 09-01, enterprise 10-11", "pro 10-02"])
@pytest.mark.parametrize("micro", [units(10**11), units(10**12), 2**63 - 1])
def test_an_amount_of_more_than_a_line_says_is_said_to_be_the_most(
    price: dict[str, Any], plans: str, micro: int
) -> None:
    body = llm_tokens().model_dump(mode="json")
    value = "large" if price.get("model") == "matrix" else ""
    if value:
        body["meters"]["tokens"] |= {"dimensions": ["model"], "priced_by": "model"}
    for name in ("pro", "enterprise"):
        terms = {"included": 0, "overage": price}
        body["plans"][name]["meters"]["tokens"] = terms
    usage = {("tokens", segment, value): micro for segment in (1, 2)}
    found = _same(a_subscription(plans), {1: Catalog.model_validate(body)}, usage)
    assert max(line.amount_minor for line in found) == MOST_MINOR


def _table(usage: Usage) -> Any:
    return usage_table((t, *key, q, 1) for t, own in usage.items() for key, q in own.items())


def _lines(table: Any) -> Lines:
    return {row["subscription"]: lines for row, lines in lines_by_subscription(table)}


def _kinds(subscription: Subscription, versions: dict[int, Catalog], usage: Used) -> set[str]:
    """The kinds of usage lines."""
    return {line.kind for line in _same(subscription, versions, usage)}


def _same(
    subscription: Subscription, versions: dict[int, Catalog], usage: Used
) -> list[InvoiceLine]:
    """The usage lines, of which both engines make the same."""
    table, segments = _table({subscription.tenant: usage}), segment_table([subscription])
    charges = bulk_rating.rate_charges(table, segments, OCTOBER, versions)
    lines = [line_of(row) for row in rows_of(charges)]
    assert lines == rate_usage(subscription, OCTOBER, versions, usage)
    return lines
