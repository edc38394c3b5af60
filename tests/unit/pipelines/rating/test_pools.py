"""What is included by the policies of a plan, each by hand, from both engines."""

from typing import Any

import pytest

from schemas.catalog import Catalog
from tests.billing import Bill, usage_of, written
from tests.builders import a_subscription

_CARD = {"overage": {"price": {"USD": "1"}}}
_TIERS = {"model": "graduated", "tiers": [{"up_to": "100", "price": {"USD": "1"}},
                                          {"price": {"USD": "2"}}]}  # fmt: skip


def _plan(included: str, overage: Any = None, **policies: str) -> dict[str, Any]:
    card = _CARD | {"included": included} | ({"overage": overage} if overage else {})
    return {"base_fee": {"USD": "0"}, "meters": {"calls": card}, "policies": policies}


PLANS = {
    "small": _plan("310"),
    "large": _plan("3100"),
    "full": _plan("3100", included_on_upgrade="full"),
    "less": _plan("31", included_on_upgrade="full"),
    "own": _plan("310", _TIERS, pool="per_segment"),
    "more": _plan("620", _TIERS, pool="per_segment"),
    "daily": _plan("310", proration="day"),
    "whole": _plan("310", proration="none"),
}
CATALOG = Catalog.model_validate(
    {
        "name": "pools",
        "currencies": ("USD",),
        "default_plan": "small",
        "meters": {"calls": {"event_type": "call", "aggregation": "count"}},
        "plans": PLANS,
    }
)

CASES: list[tuple[str, str, list[str]]] = [
    # 10 of 31 days of 310 and 21 of 3,100
    ("small 09-01, large 10-11", "calls 2300 @2",
     ["included calls 2,200 0.00", "overage calls 100 100.00"]),
    # 100 of small, and all of the 3,100
    ("small 09-01, full 10-11", "calls 3300 @2",
     ["included calls 3,200 0.00", "overage calls 100 100.00"]),
    # to begin with a plan is no upgrade: 21 of 31 days
    ("full 10-11", "calls 2200", ["included calls 2,100 0.00", "overage calls 100 100.00"]),
    # less is no upgrade either: 100 and 21
    ("small 09-01, less 10-11", "calls 131 @2",
     ["included calls 121 0.00", "overage calls 10 10.00"]),
    # there and back again: 100 + 3,100 + 50 + 14 of 31 days of 3,100
    ("small 09-01, full 10-11, small 10-13, full 10-18", "calls 5000 @4",
     ["included calls 4,650 0.00", "overage calls 350 350.00"]),
    # each its own: 100 of 310 for 10 days, 420 of 620 for 21; what is over is not lent
    ("own 09-01, more 10-11", "calls 150 @1, calls 400 @2",
     ["included calls 100 0.00", "overage calls 50 50.00", "included calls 400 0.00"]),
    # tiers go on: 50 beyond the first pool and 80 beyond the second, 30 of them above 100
    ("own 09-01, more 10-11", "calls 150 @1, calls 500 @2",
     ["included calls 100 0.00", "overage calls 50 50.00",
      "included calls 420 0.00", "overage calls 80 110.00"]),
    # a day belongs to what it ends with: 21 days
    ("daily 10-11 12:00", "calls 220", ["included calls 210 0.00", "overage calls 10 10.00"]),
    ("whole 10-16", "calls 320", ["included calls 310 0.00", "overage calls 10 10.00"]),
]  # fmt: skip


@pytest.mark.parametrize(("plans", "usage", "expected"), CASES)
def test_what_is_included_follows_the_plan(plans: str, usage: str, expected: list[str]) -> None:
    bill = Bill({1: CATALOG}, a_subscription(plans), usage_of(usage))
    usage_lines = [line for line in bill.lines() if line.meter]
    assert written(usage_lines, "USD")[:-1] == expected
