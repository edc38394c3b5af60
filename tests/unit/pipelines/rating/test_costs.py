"""What a quantity costs: worked examples to check by hand, and what must hold for all of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipelines.rating.costs import ATTO, cost, to_minor
from schemas.prices import PriceModel
from schemas.quantity import MICRO, to_micro

_PRICE: TypeAdapter[Any] = TypeAdapter(PriceModel)


def usd(amount: str) -> dict[str, str]:
    return {"USD": amount}


PER_UNIT = {"per": 1000, "price": usd("0.01")}
PACKAGE = {"model": "package", "per": 1000, "price": usd("5")}
GRADUATED = {
    "model": "graduated",
    "tiers": [
        {"up_to": 100, "price": usd("1")},
        {"up_to": 1000, "price": usd("0.50"), "flat": usd("10")},
        {"price": usd("0.20")},
    ],
}
VOLUME = GRADUATED | {"model": "volume"}
PERCENTAGE = {
    "model": "percentage",
    "rate": "2.9%",
    "minimum": usd("1"),
    "maximum": usd("20"),
}
WITH_FIXED = PERCENTAGE | {"fixed": usd("0.30")}


def costs(price: dict[str, Any], quantity: object) -> str:
    """USD as an invoice writes them."""
    minor = to_minor(cost(_PRICE.validate_python(price), to_micro(quantity), "USD"), "USD")
    return f"{minor // 100}.{minor % 100:02}"


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        # 1,234,500 at 0.01 a thousand: 1234.5 × 0.01
        (PER_UNIT, 1_234_500, "12.35"),  # 12.345: half away from zero
        (PER_UNIT, 0, "0.00"),
        # packages of 1,000 at 5: each one that is begun
        (PACKAGE, 0, "0.00"),
        (PACKAGE, "0.000001", "5.00"),
        (PACKAGE, 1000, "5.00"),
        (PACKAGE, 1001, "10.00"),
        # graduated: 100 at 1; then 10 once and 900 at 0.50; the rest at 0.20
        (GRADUATED, 100, "100.00"),  # the bound belongs to the lower tier
        (GRADUATED, 101, "110.50"),
        (GRADUATED, 1000, "560.00"),
        (GRADUATED, 2000, "760.00"),
        # volume: all at the price of their tier
        (VOLUME, 100, "100.00"),
        (VOLUME, 101, "60.50"),  # 101 × 0.50 + 10
        (VOLUME, 2000, "400.00"),
        # 2.9 % of the amount, from 1 to 20
        (PERCENTAGE, 100, "2.90"),
        (PERCENTAGE, 10, "1.00"),  # 0.29 is below the minimum
        (PERCENTAGE, 5000, "20.00"),  # 145.00 is above the maximum
        (PERCENTAGE, 0, "0.00"),
        # and 0.30 once beside it, before the least and the most
        (WITH_FIXED, 100, "3.20"),
        (WITH_FIXED, 10, "1.00"),  # 0.59
        (WITH_FIXED, 680, "20.00"),  # 20.02
        (WITH_FIXED, 0, "0.00"),
    ],
)
def test_worked_examples(price: dict[str, Any], quantity: object, expected: str) -> None:
    assert costs(price, quantity) == expected


amounts = st.integers(0, 10**6).map(lambda n: {"USD": f"{n / 10**4:.4f}"})


@st.composite
def prices(draw: st.DrawFn) -> dict[str, Any]:
    """A price whose cost depends on the quantity alone."""
    model = draw(st.sampled_from(["per_unit", "package", "graduated", "volume", "percentage"]))
    if model in ("per_unit", "package"):
        return {"model": model, "per": draw(st.sampled_from([1, 10, 1000])), "price": draw(amounts)}
    if model == "percentage":
        return {"model": model, "rate": f"{draw(st.integers(0, 100))}%", "fixed": draw(amounts)}
    bounds = sorted(draw(st.sets(st.integers(1, 1000), max_size=4)))
    tiers: list[dict[str, Any]] = [{"up_to": b, "price": draw(amounts)} for b in bounds]
    tiers.append({"price": draw(amounts), "flat": draw(amounts)})
    return {"model": model, "tiers": tiers}


quantities = st.integers(0, 2000 * MICRO)


@given(prices(), quantities, quantities)
def test_more_never_costs_less(price: dict[str, Any], first: int, second: int) -> None:
    """But by volume, whose whole point is that a larger quantity is cheaper a unit."""
    model = _PRICE.validate_python(price)
    low, high = sorted([first, second])
    if price["model"] != "volume":
        assert cost(model, low, "USD") <= cost(model, high, "USD")


@given(prices())
def test_nothing_costs_nothing(price: dict[str, Any]) -> None:
    assert cost(_PRICE.validate_python(price), 0, "USD") == 0


@given(quantities, st.lists(st.integers(1, 1000), min_size=1, max_size=4, unique=True))
def test_tiers_of_one_price_are_that_price(quantity: int, bounds: list[int]) -> None:
    tiers = [{"up_to": bound, "price": usd("0.07")} for bound in sorted(bounds)]
    graduated = _PRICE.validate_python(
        {"model": "graduated", "tiers": [*tiers, {"price": usd("0.07")}]}
    )
    flat = _PRICE.validate_python({"price": usd("0.07")})
    assert cost(graduated, quantity, "USD") == cost(flat, quantity, "USD")


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        cost(_PRICE.validate_python(PER_UNIT), -1, "USD")


@pytest.mark.parametrize(
    ("minor", "expected"), [(ATTO // 200, 1), (-ATTO // 200, -1), (ATTO // 200 - 1, 0)]
)
def test_half_a_cent_is_rounded_away_from_zero(minor: int, expected: int) -> None:
    assert to_minor(minor, "USD") == expected
