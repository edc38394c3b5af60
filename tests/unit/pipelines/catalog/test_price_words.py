"""Prices in words, as a price list's reader would say them."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from pipelines.catalog.price_words import price_in_words
from schemas.prices import PriceModel

_PRICE: TypeAdapter[PriceModel] = TypeAdapter(PriceModel)


def usd(amount: str, per: int = 1) -> dict[str, Any]:
    return {"per": per, "price": {"USD": amount}}


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (usd("0.5"), "0.5 each"),
        (usd("8", 1_000_000), "8 per 1,000,000"),
        ({"model": "package", **usd("5", 1000)}, "5 for every 1,000 begun"),
        (
            {"model": "percentage", "rate": "2.9%", "minimum": {"USD": "1"}},
            "2.9% of the amount, at least 1",
        ),
        (
            {"model": "percentage", "rate": "2.9%", "fixed": {"USD": "0.3"}},
            "2.9% of the amount and 0.3 once",
        ),
        (
            {"model": "graduated", "tiers": [{"up_to": 100, **usd("1")}, usd("0.5")]},
            "1 each up to 100; 0.5 each beyond",
        ),
        (
            {"model": "matrix", "by": "model", "prices": {"small": usd("1"), "default": usd("5")}},
            "1 each for small; 5 each otherwise, by model",
        ),
    ],
)
def test_a_price_is_said_in_one_line(price: dict[str, Any], words: str) -> None:
    assert price_in_words(_PRICE.validate_python(price), "USD") == words
