"""What a plan includes by another policy than its share by the second, in an explanation."""

import pytest

from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import rate_usage
from tests.billing import explained
from tests.builders import OCTOBER
from tests.cases import bill_of


def told(policy: str, choice: str, subscribed: str) -> list[str]:
    """What is said of the pool: small includes 310 calls, more 620."""
    plans = {
        name: {
            "base_fee": {"USD": "0"},
            "policies": {policy: choice},
            "meters": {"calls": {"included": included, "overage": {"price": {"USD": "1"}}}},
        }
        for name, included in {"small": "310", "more": "620"}.items()
    }
    bill = bill_of({"plans": plans, "subscribed": subscribed, "usage": "calls 150 @1, calls 9 @2"})
    lines = prorate_fees(bill.subscription, OCTOBER, bill.catalogs)
    lines += rate_usage(bill.subscription, OCTOBER, bill.catalogs, bill.usage)
    text = explained(bill, tuple(lines))
    assert text.endswith("every line agrees.\n")
    return text.partition("\n\n")[2].splitlines()[:3]


@pytest.mark.parametrize(
    ("policy", "choice", "subscribed", "lines"),
    [
        ("pool", "per_segment", "small 09-01, more 10-11",
         ["calls included in this period: 100 and 420, each for its own time",
          "  Small, 1–10 October: 310 × 864,000 s ÷ 2,678,400 s = 100 → 100",
          "  More, 11–31 October: 620 × 1,814,400 s ÷ 2,678,400 s = 420 → 420"]),
        ("included_on_upgrade", "full", "small 09-01, more 10-11",
         ["calls included in this period: 720",
          "  Small, 1–10 October: 310 × 864,000 s ÷ 2,678,400 s = 100 → 100",
          "  More, 11–31 October: 620, all of it: an upgrade brings it in full"]),
        ("proration", "day", "small 09-01, more 10-11 17:45",
         ["calls included in this period: 520",
          "  Small, 1 October – 11 October 17:45: 310 × 10 days ÷ 31 days = 100 → 100",
          "  More, 11 October 17:45 – 31 October: 620 × 21 days ÷ 31 days = 420 → 420"]),
        ("proration", "none", "small 09-01, more 10-11",
         ["calls included in this period: 310",
          "  Small, 1–10 October: 310, whole: it is not prorated",
          "  More, 11–31 October: nothing: the plan before it brought the whole period's"]),
    ],
)  # fmt: skip
def test_a_share_says_its_policy(
    policy: str, choice: str, subscribed: str, lines: list[str]
) -> None:
    assert told(policy, choice, subscribed) == lines
