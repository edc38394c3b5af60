"""A tenant of an older price list, who keeps an offer of a newer one without its currency."""

from typing import Any

import pytest

from tests.billing import Bill, written
from tests.builders import at
from tests.plan_lives import a_life
from tests.unit.pipelines.adjustments.builders import a_catalog


def a_list(*currencies: str) -> Any:
    def each(amount: str) -> dict[str, str]:
        return dict.fromkeys(currencies, amount)

    return a_catalog(
        {"pro": {"base_fee": each("100.00")}},
        currencies,
        coupons={
            "TEN": {"percent": "10%", "lasts": "forever"},
            "FIVE": {"amount": each("5.00"), "lasts": "forever"},
        },
        add_ons={
            "seats": {"fee": each("5.00")},
            "audit": {"fee": each("9.00"), "interval": "year"},
        },
    )


@pytest.mark.parametrize(
    ("has", "lines"),
    [
        ({"redemptions": [("acme", "TEN", 2, at("10-02"), None)]},
         ["discount TEN fees -10.00", "total 90.00"]),
        # what has no price in yuan costs and gives nothing in either engine
        ({"redemptions": [("acme", "FIVE", 2, at("10-02"), None)]}, ["total 100.00"]),
        ({"add_ons": [("acme", "s", "seats", 2, 3, at("10-02"), None)]}, ["total 100.00"]),
        ({"add_ons": [("acme", "a", "audit", 2, 3, at("10-02"), None)]}, ["total 100.00"]),
    ],
)  # fmt: skip
def test_a_share_needs_no_currency(has: dict[str, list[Any]], lines: list[str]) -> None:
    catalogs = {1: a_list("USD", "CNY"), 2: a_list("USD")}
    bill = Bill(catalogs, a_life("pro 09-01", currency="CNY"), has=has)
    assert written(bill.lines(), "CNY") == ["base_fee pro 100.00", *lines]
