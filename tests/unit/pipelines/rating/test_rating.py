"""What usage costs: worked examples to the cent, and what must hold for every price and usage."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.rating.costs import to_minor
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import Usage, beyond, pool, rate_usage
from pipelines.segments.segments import parts
from schemas.catalog import Catalog
from schemas.money import PICO
from schemas.prices import Volume
from schemas.quantity import MICRO, format_micro
from schemas.subscription import Subscription
from tests.builders import OCTOBER, a_subscription, llm_tokens, units, used
from tests.strategies import catalogs, quantities, subscriptions, usage_of

CATALOGS = {1: llm_tokens()}
K, M = 1_000, 1_000_000


def tokens(plans: str, by_segment: Mapping[int, int], currency: str = "USD") -> list[str]:
    """Lines for whole tokens by segment, as: kind, plan, quantity, cents."""
    subscription = a_subscription(plans, currency=currency)
    lines = rate_usage(subscription, OCTOBER, CATALOGS, used(by_segment))
    return [
        f"{x.kind} {x.plan} {format_micro(x.quantity_micro or 0)} {x.amount_minor}" for x in lines
    ]


@pytest.mark.parametrize(
    ("plans", "quantities", "expected"),
    [
        ("free 09-01", {1: 100 * K}, ["included free 100000 0"]),
        ("free 09-01", {1: 100 * K + 1}, ["included free 100000 0", "not_billed free 1 0"]),
        ("pro 09-01", {1: M}, ["included pro 1000000 0"]),
        ("pro 09-01", {1: M + 1}, ["included pro 1000000 0", "overage pro 1 0"]),
        ("pro 09-01", {1: M + 624}, ["included pro 1000000 0", "overage pro 624 0"]),
        ("pro 09-01", {1: M + 625}, ["included pro 1000000 0", "overage pro 625 1"]),
        ("pro 09-01", {1: M + 1874}, ["included pro 1000000 0", "overage pro 1874 1"]),
        ("pro 09-01", {1: M + 1875}, ["included pro 1000000 0", "overage pro 1875 2"]),
        ("pro 09-01", {1: 2 * M}, ["included pro 1000000 0", "overage pro 1000000 800"]),
        ("enterprise 09-01", {1: 12 * M}, ["included enterprise 10000000 0",
                                           "overage enterprise 2000000 1000"]),
        ("pro 09-01", {}, []),
        ("pro 09-01", {0: 5 * M, 2: 5 * M}, []),
        (
            "pro 10-16",
            {0: 9 * M, 1: M},
            ["included pro 516129.032258 0", "overage pro 483870.967742 387"],
        ),
        (
            "free 09-01, pro 10-16",
            {1: 60 * K, 2: 700 * K},
            ["included free 60000 0", "included pro 504516.129032 0",
             "overage pro 195483.870968 156"],
        ),
        (  # what free did not use is there for pro, and what it used up is not
            "free 09-01, pro 10-16",
            {1: 600 * K, 2: 1},
            ["included free 564516.129032 0", "not_billed free 35483.870968 0", "overage pro 1 0"],
        ),
        (  # a gap has no plan: its usage is not on the invoice and uses up nothing
            "pro 09-01 .. 10-11, pro 10-21",
            {1: 600 * K, 2: 9 * M, 3: 600 * K},
            ["included pro 600000 0", "included pro 77419.354838 0",
             "overage pro 522580.645162 418"],
        ),
        (  # corrections give back at the price of their own segment
            "pro 09-01, enterprise 10-16",
            {1: 6 * M, 2: -1 * M},
            ["included pro 5645161.290321 0", "overage pro 354838.709679 284",
             "included enterprise -645161.290321 0", "overage enterprise -354838.709679 -177"],
        ),
        ("pro 09-01", {1: -5}, ["included pro -5 0"]),
    ],
)  # fmt: skip
def test_token_lines_of_october(
    plans: str, quantities: dict[int, int], expected: list[str]
) -> None:
    assert tokens(plans, quantities) == expected


def test_free_to_pro_on_the_sixteenth_costs_27_dollars_36() -> None:
    subscription = a_subscription("free 09-01, pro 10-16")
    lines = prorate_fees(subscription, OCTOBER, CATALOGS)
    lines += rate_usage(subscription, OCTOBER, CATALOGS, used({1: 60 * K, 2: 700 * K}))
    found = parts(subscription, OCTOBER)
    assert pool(found, "tokens", OCTOBER, CATALOGS) == 564_516_129_032
    assert sum(line.amount_minor for line in lines) == 2736


def test_overage_has_a_price_in_each_currency() -> None:
    assert tokens("pro 09-01", {1: 2 * M}, "CNY")[1] == "overage pro 1000000 5600"


def test_meters_that_no_plan_prices_make_no_line() -> None:
    usage = used({1: 5}, "input_tokens") | used({1: 5}, "unheard_of")
    assert rate_usage(a_subscription("pro 09-01"), OCTOBER, CATALOGS, usage) == []


def test_a_plan_without_limit_makes_the_whole_pool_unlimited() -> None:
    body = llm_tokens().model_dump(mode="json")
    body["plans"]["enterprise"]["meters"]["tokens"] = {"included": None}
    prices = {1: Catalog.model_validate(body)}
    subscription = a_subscription("free 09-01, enterprise 10-31")
    [line] = rate_usage(subscription, OCTOBER, prices, used({1: 9 * M}))
    assert (line.kind, line.quantity_micro) == ("included", units(9 * M))


def by_model(free: Mapping[str, Any]) -> dict[int, Catalog]:
    """Prices by model in pro: small 1 USD a million, large 20, all others 5."""
    prices = {
        value: {"per": M, "price": {"USD": usd, "CNY": usd}}
        for value, usd in (("small", "1"), ("large", "20"), ("default", "5"))
    }
    body = llm_tokens().model_dump(mode="json")
    body["meters"]["tokens"]["priced_by"] = "model"
    body["plans"]["free"]["meters"]["tokens"] = free
    overage = {"model": "matrix", "by": "model", "prices": prices}
    body["plans"]["pro"]["meters"]["tokens"] = {"included": 0, "overage": overage}
    return {1: Catalog.model_validate(body)}


@pytest.mark.parametrize(
    ("plans", "by_value", "expected"),
    [
        (
            "pro 09-01",
            {(1, "small"): 3 * M, (1, "large"): M, (1, "odd"): M, (1, ""): M},
            ["overage pro '' 1000000 500", "overage pro 'large' 1000000 2000",
             "overage pro 'odd' 1000000 500", "overage pro 'small' 3000000 300"],
        ),
        (  # each part has its own lines; a line is rounded by itself
            "pro 09-01, pro 10-16",
            {(1, "small"): 4_999, (2, "small"): 5_000},
            ["overage pro 'small' 4999 0", "overage pro 'small' 5000 1"],
        ),
        (  # what free includes is used up first, in order of time, then of value
            "free 09-01, pro 10-16",
            {(1, "large"): 10 * K, (2, "large"): 40 * K, (2, "small"): M},
            ["included free None 10000 0", "included pro 'large' 38387.096774 0",
             "overage pro 'large' 1612.903226 3", "overage pro 'small' 1000000 100"],
        ),
        (  # given back at its own price, not at that of a value that comes after it
            "pro 09-01",
            {(1, ""): -100 * K, (1, "large"): 150 * K},
            ["overage pro 'large' 150000 300", "overage pro '' -100000 -50"],
        ),
        (  # a correction is a credit at its own value's price
            "pro 09-01",
            {(1, "large"): 2 * M, (1, "small"): -M},
            ["overage pro 'large' 2000000 4000", "overage pro 'small' -1000000 -100"],
        ),
    ],
)  # fmt: skip
def test_a_price_by_value_has_a_line_for_each_value(
    plans: str, by_value: Mapping[tuple[int, str], int], expected: list[str]
) -> None:
    usage = {("tokens", n, value): units(quantity) for (n, value), quantity in by_value.items()}
    prices = by_model({"included": 100 * K})
    lines = rate_usage(a_subscription(plans), OCTOBER, prices, usage)
    assert expected == [
        f"{x.kind} {x.plan} {x.value!r} {format_micro(x.quantity_micro or 0)} {x.amount_minor}"
        for x in lines
    ]


@pytest.mark.parametrize(
    ("quantity", "unit_price", "currency", "minor"),
    [
        ("195483.870968", "0.000008", "USD", 156),
        ("625", "0.000008", "USD", 1),
        ("-625", "0.000008", "USD", -1),
        ("624.999999", "0.000008", "USD", 0),
        ("0.000001", "5000", "USD", 1),
        ("1", "0.5", "JPY", 1),
        ("1", "0.499999999999", "JPY", 0),
        ("0", "1", "USD", 0),
    ],
)
def test_a_quantity_is_priced_with_one_rounding(
    quantity: str, unit_price: str, currency: str, minor: int
) -> None:
    assert price(_scaled(quantity, MICRO), _scaled(unit_price, PICO), currency) == minor


def price(quantity_micro: int, unit_price_pico: int, currency: str) -> int:
    return to_minor(quantity_micro * unit_price_pico, currency)


def _scaled(text: str, scale: int) -> int:
    whole, _, part = text.partition(".")
    digits = len(str(scale)) - 1
    sign = -1 if text.startswith("-") else 1
    return sign * (abs(int(whole)) * scale + int(part.ljust(digits, "0")))


@given(st.data(), subscriptions(), catalogs())
def test_the_quantities_of_a_meter_add_up_to_its_usage(
    data: st.DataObject, subscription: Subscription, catalog: Catalog
) -> None:
    usage = data.draw(usage_of(subscription))
    billed: Counter[str] = Counter()
    for line in rate_usage(subscription, OCTOBER, {1: catalog}, usage):
        billed[line.meter or ""] += line.quantity_micro or 0
    assert {m: q for m, q in billed.items() if q} == _used_within(subscription, catalog, usage)


def _used_within(subscription: Subscription, catalog: Catalog, usage: Usage) -> dict[str, int]:
    numbers = {part.number for part in parts(subscription, OCTOBER)}
    within: Counter[str] = Counter()
    for (meter, number, _), quantity in usage.items():
        if number in numbers and meter in catalog.priced_meters:
            within[meter] += quantity
    return {meter: quantity for meter, quantity in within.items() if quantity}


@given(st.data(), subscriptions(), catalogs())
def test_overage_is_what_is_beyond_the_pool_whatever_the_segments(
    data: st.DataObject, subscription: Subscription, catalog: Catalog
) -> None:
    usage = data.draw(usage_of(subscription))
    found = parts(subscription, OCTOBER)
    lines = rate_usage(subscription, OCTOBER, {1: catalog}, usage)
    for meter in catalog.priced_meters:
        numbers = {part.number for part in found}
        total = sum(q for (name, n, _), q in usage.items() if name == meter and n in numbers)
        over = sum(
            x.quantity_micro or 0 for x in lines if x.meter == meter and x.kind != "included"
        )
        assert over == beyond(total, pool(found, meter, OCTOBER, {1: catalog}))


@given(st.data(), subscriptions(), catalogs())
def test_the_order_in_which_usage_is_told_does_not_matter(
    data: st.DataObject, subscription: Subscription, catalog: Catalog
) -> None:
    usage = data.draw(usage_of(subscription))
    shuffled = dict(data.draw(st.permutations(list(usage.items()))))
    once = rate_usage(subscription, OCTOBER, {1: catalog}, usage)
    assert rate_usage(subscription, OCTOBER, {1: catalog}, shuffled) == once


@given(subscriptions(), catalogs(), st.integers(0, 3 * 10**13), st.integers(0, 10**13))
def test_more_usage_in_a_part_never_costs_less(
    subscription: Subscription, catalog: Catalog, quantity: int, more: int
) -> None:
    """But by volume, whose point is that more units cost less each."""
    cards = [plan.meters.get("tokens") for plan in catalog.plans.values()]
    assume(not any(card and isinstance(card.overage, Volume) for card in cards))
    for part in parts(subscription, OCTOBER)[-1:]:
        less = {("tokens", part.number, ""): quantity}
        grown = {("tokens", part.number, ""): quantity + more}
        assert _total(subscription, catalog, less) <= _total(subscription, catalog, grown)


def _total(subscription: Subscription, catalog: Catalog, usage: Usage) -> int:
    lines = rate_usage(subscription, OCTOBER, {1: catalog}, usage)
    return sum(line.amount_minor for line in lines)


@given(quantities(), quantities(), st.integers(0, 10**12))
def test_a_split_quantity_differs_by_one_rounding_at_most(a: int, b: int, unit_price: int) -> None:
    apart = price(a, unit_price, "USD") + price(b, unit_price, "USD")
    assert abs(price(a + b, unit_price, "USD") - apart) <= 1


@given(quantities(), st.integers(0, 10**12))
def test_a_credit_is_the_charge_negated(quantity: int, unit_price: int) -> None:
    assert price(-quantity, unit_price, "USD") == -price(quantity, unit_price, "USD")


@given(subscriptions())
def test_a_pool_is_never_more_than_the_shares_and_less_than_a_unit_below(
    subscription: Subscription,
) -> None:
    found = parts(subscription, OCTOBER)
    pool_micro = pool(found, "tokens", OCTOBER, CATALOGS) or 0
    exact = sum(
        (CATALOGS[1].plans[part.plan].meters["tokens"].included or 0) * part.period.duration_ms
        for part in found
    )
    assert 0 <= exact - pool_micro * OCTOBER.duration_ms <= len(found) * OCTOBER.duration_ms
