"""The arithmetic of a price, step by step: as a person would write it, and exact for any price."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipelines.explain.price_steps import exact, steps
from pipelines.rating.costs import cost
from schemas.prices import Matrix, PriceModel
from schemas.quantity import MICRO, to_micro
from tests.strategies import catalogs

_PRICE: TypeAdapter[PriceModel] = TypeAdapter(PriceModel)


def usd(amount: str, **more: Any) -> dict[str, Any]:
    return {"price": {"USD": amount}, **more}


TIERS = [usd("1", up_to=100), usd("0.5", up_to=1000, flat={"USD": "3"}), usd("0.2")]
GRADUATED = {"model": "graduated", "tiers": TIERS}
VOLUME = {"model": "volume", "tiers": TIERS}
PACKAGE = {"model": "package", **usd("5", per=1000)}
PERCENTAGE = {
    "model": "percentage", "rate": "2.9%", "minimum": {"USD": "1"}, "maximum": {"USD": "9"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("price", "before", "after", "told"),
    [
        (usd("8", per=1_000_000), "0", "195483.870968",
         ["195,483.870968 × 0.000008 = 1.563870…"]),
        (GRADUATED, "0", "50", ["from 0 to 100: 50 × 1 = 50"]),
        (GRADUATED, "0", "100", ["from 0 to 100: 100 × 1 = 100"]),
        (GRADUATED, "0", "1200",
         ["from 0 to 100: 100 × 1 = 100", "from 100 to 1,000: 900 × 0.5 = 450",
          "from 100 to 1,000: 3 once = 3", "beyond 1,000: 200 × 0.2 = 40"]),
        (GRADUATED, "90", "110",
         ["from 0 to 100: 10 × 1 = 10", "from 100 to 1,000: 10 × 0.5 = 5",
          "from 100 to 1,000: 3 once = 3"]),
        (GRADUATED, "110", "200", ["from 100 to 1,000: 90 × 0.5 = 45"]),
        (GRADUATED, "110", "90",
         ["from 0 to 100: 10 × 1 = −10", "from 100 to 1,000: 10 × 0.5 = −5",
          "from 100 to 1,000: 3 once = −3"]),
        ({"model": "graduated", "tiers": [usd("2")]}, "0", "7", ["all: 7 × 2 = 14"]),
        (VOLUME, "0", "100", ["all at the price up to 100: 100 × 1 = 100"]),
        (VOLUME, "0", "101",
         ["all at the price up to 1,000: 101 × 0.5 = 50.5",
          "all at the price up to 1,000: 3 once = 3"]),
        (VOLUME, "100", "2000",
         ["all at the price of the last tier: 2,000 × 0.2 = 400",
          "less what came before, all at the price up to 100: 100 × 1 = −100"]),
        (PACKAGE, "0", "1001", ["2 packages of 1,000 are begun: 2 × 5 = 10"]),
        (PACKAGE, "1001", "3000", ["3 packages of 1,000 are begun, 2 of them before: 1 × 5 = 5"]),
        (PERCENTAGE, "0", "100", ["2.9% × 100 = 2.9"]),
        (PERCENTAGE, "0", "10", ["2.9% × 10 = 0.29", "up to the minimum of 1 = 0.71"]),
        (PERCENTAGE | {"fixed": {"USD": "0.3"}}, "0", "100",
         ["2.9% × 100 = 2.9", "0.3 once = 0.3"]),
        (PERCENTAGE | {"fixed": {"USD": "0.3"}}, "0", "10",
         ["2.9% × 10 = 0.29", "0.3 once = 0.3", "up to the minimum of 1 = 0.41"]),
        (PERCENTAGE, "0", "1000", ["2.9% × 1,000 = 29", "beyond the maximum of 9 = −20"]),
        (PERCENTAGE, "10", "100",
         ["2.9% × 100 = 2.9", "less what came before, 2.9% × 10 = −0.29",
          "less what came before, up to the minimum of 1 = −0.71"]),
    ],
)  # fmt: skip
def test_a_price_is_worked_out_step_by_step(
    price: dict[str, Any], before: str, after: str, told: list[str]
) -> None:
    found = steps(_PRICE.validate_python(price), to_micro(before), to_micro(after), "USD")
    assert [f"{step.words} = {exact(step.amount_atto)}" for step in found] == told


@given(catalogs(), st.integers(0, 10**14), st.integers(0, 10**14), st.data())
def test_steps_add_up_to_the_cost_exactly(
    catalog: Any, before: int, after: int, data: st.DataObject
) -> None:
    found = [
        price
        for plan in catalog.plans.values()
        for card in plan.meters.values()
        if card.overage
        for price in (
            card.overage.prices.values() if isinstance(card.overage, Matrix) else [card.overage]
        )
    ]
    for price in found:
        if data.draw(st.booleans()):
            before, after = before % (2000 * MICRO), after % (2000 * MICRO)
        for currency in catalog.currencies:
            added = sum(step.amount_atto for step in steps(price, before, after, currency))
            assert added == cost(price, after, currency) - cost(price, before, currency)
