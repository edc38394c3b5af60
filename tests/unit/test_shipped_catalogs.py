"""The price lists that ship: valid, and billed as a person would work it out by hand."""

from pathlib import Path

import pytest

from pipelines.catalog import catalog_file
from pipelines.rating.entitlements import timeline
from schemas.catalog import Catalog
from schemas.entitlement import EntitlementEntry, Threshold
from schemas.period import BillingPeriod
from tests.billing import Bill, usage_of, written
from tests.builders import OCTOBER, a_subscription
from tests.cases import CATALOGS, shipped
from tests.plan_lives import a_life


def billed(
    catalog: str, plans: str, usage: str, currency: str = "USD", month: str = "2026-10"
) -> list[str]:
    subscription, of = a_life(plans, currency=currency), BillingPeriod.month(month)
    bill = Bill({1: shipped(catalog)}, subscription, usage_of(usage), month=of)
    return written(bill.lines(), currency)


def entries(catalog: str, plans: str) -> list[EntitlementEntry]:
    found = timeline(a_subscription(plans), {1: shipped(catalog)}, OCTOBER)
    return [entry for entry in found if OCTOBER.contains(entry.from_ms)]


@pytest.mark.parametrize("path", sorted(CATALOGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_price_list_is_named_like_its_file_and_stored_as_written(path: Path) -> None:
    catalog = shipped(path.stem)
    assert catalog.name == path.stem
    assert Catalog.model_validate_json(catalog_file.canonical(catalog)) == catalog


FIVE = [
    (  # at the caps: nothing is beyond what is included
        "free 09-01",
        "tokens 10,000, executions 100, calls 1,000, storage 1, seats 3",
        "USD",
        ["base_fee free 0.00",
         "included calls 1,000 0.00", "included executions 100 0.00", "included seats 3 0.00",
         "included storage 1 0.00", "included tokens 10,000 0.00",
         "total 0.00"],
    ),
    (  # beyond soft caps, and in the grace of a hard one: served, not billed, and still on the bill
        "free 09-01",
        "tokens 12,500, executions 130, calls 1,001, storage 1.25",
        "USD",
        ["base_fee free 0.00",
         "included calls 1,000 0.00", "not_billed calls 1 0.00",
         "included executions 100 0.00", "not_billed executions 30 0.00",
         "included storage 1 0.00", "not_billed storage 0.25 0.00",
         "included tokens 10,000 0.00", "not_billed tokens 2,500 0.00",
         "total 0.00"],
    ),
    (  # 500 × 0.01 + 50 × 0.10 + 20,000 × 0.001 + 20 × 0.50 + 2 × 5 = 5 + 5 + 20 + 10 + 10
        "standard 09-01",
        "tokens 1,500,000, executions 5,050, calls 120,000, storage 120, seats 27",
        "USD",
        ["base_fee standard 99.00",
         "included calls 100,000 0.00", "overage calls 20,000 20.00",
         "included executions 5,000 0.00", "overage executions 50 5.00",
         "included seats 25 0.00", "overage seats 2 10.00",
         "included storage 100 0.00", "overage storage 20 10.00",
         "included tokens 1,000,000 0.00", "overage tokens 500,000 5.00",
         "total 149.00"],
    ),
    (  # the same in yuan: 3.50 a GB and 35 a seat
        "standard 09-01",
        "storage 120, seats 27",
        "CNY",
        ["base_fee standard 699.00",
         "included seats 25 0.00", "overage seats 2 70.00",
         "included storage 100 0.00", "overage storage 20 70.00",
         "total 839.00"],
    ),
    (  # yen have no smaller unit: 1,001 calls are 150.15, 1,500 tokens 2.25, 0.01 GB 0.75
        "standard 09-01",
        "tokens 1,001,500, calls 101,001, storage 100.01",
        "JPY",
        ["base_fee standard 14,800",
         "included calls 100,000 0", "overage calls 1,001 150",
         "included storage 100 0", "overage storage 0.01 1",
         "included tokens 1,000,000 0", "overage tokens 1,500 2",
         "total 14,953"],
    ),
    (  # seats are unlimited; 2,000 × 0.005 + 1,000 × 0.05 + 1,000,000 × 0.0005 + 24 × 0.25
        "enterprise 09-01",
        "tokens 12,000,000, executions 51,000, calls 2,000,000, storage 1,024, seats 5,000",
        "USD",
        ["base_fee enterprise 499.00",
         "included calls 1,000,000 0.00", "overage calls 1,000,000 500.00",
         "included executions 50,000 0.00", "overage executions 1,000 50.00",
         "included seats 5,000 0.00",
         "included storage 1,000 0.00", "overage storage 24 6.00",
         "included tokens 10,000,000 0.00", "overage tokens 2,000,000 10.00",
         "total 1,065.00"],
    ),
    (  # the 16th: 15 of 31 days of 10,000 and 16 of 31 of 1,000,000 tokens are 520,967.741935
        "free 09-01, standard 10-16",
        "tokens 20,000 @1, tokens 600,000 @2",
        "USD",
        ["base_fee free 0.00", "proration_credit free 0.00", "proration_charge standard 51.10",
         "included tokens 20,000 0.00", "included tokens 500,967.741935 0.00",
         "overage tokens 99,032.258065 0.99",
         "total 52.09"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("plans", "usage", "currency", "expected"), FIVE)
def test_five_meters_are_billed(plans: str, usage: str, currency: str, expected: list[str]) -> None:
    assert billed("five_meters", plans, usage, currency) == expected


FEATURES = [
    (
        "free 09-01",
        "messages 620, images 10, tokens 60,000, api_calls 7",
        "USD",
        ["base_fee free 0.00", "not_billed api_calls 7 0.00", "included images 10 0.00",
         "included messages 600 0.00", "not_billed messages 20 0.00",
         "included tokens 50,000 0.00", "not_billed tokens 10,000 0.00",
         "total 0.00"],
    ),
    (  # 51 images are two packages; 10 M tokens at 3.00 and 2 M at 2.00 a million; 2 × 0.50
        "pro 09-01",
        "messages 40,000, images 251, tokens 14,000,000, api_calls 12,000",
        "USD",
        ["base_fee pro 12.00",
         "included api_calls 10,000 0.00", "overage api_calls 2,000 1.00",
         "included images 200 0.00", "overage images 51 4.00",
         "included messages 40,000 0.00",
         "included tokens 2,000,000 0.00", "overage tokens 12,000,000 34.00",
         "total 51.00"],
    ),
    (  # all 60 M beyond at the price of the second tier
        "team 09-01",
        "images 2,001, tokens 80,000,000",
        "CNY",
        ["base_fee team 428.00",
         "included images 2,000 0.00", "overage images 1 10.50",
         "included tokens 20,000,000 0.00", "overage tokens 60,000,000 630.00",
         "total 1,068.50"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("plans", "usage", "currency", "expected"), FEATURES)
def test_features_are_billed(plans: str, usage: str, currency: str, expected: list[str]) -> None:
    assert billed("features", plans, usage, currency) == expected


YEARS = [
    # the year from 1 October is charged at once, and usage every month
    ("pro/year 10-01", "2026-10", "images 201",
     ["base_fee pro 120.00", "included images 200 0.00", "overage images 1 2.00", "total 122.00"]),
    ("pro/year 10-01", "2026-11", "",
     ["base_fee pro 0.00", "total 0.00"]),
    # by the month until the 11th: 21 of 31 days are given back, 355 of 365 days charged
    ("pro 09-01, pro/year 10-11", "2026-10", "",
     ["base_fee pro 12.00", "proration_credit pro -8.13", "proration_charge pro 116.71",
      "total 120.58"]),
    # up to team in the year: 350 of its 365 days are given back
    ("pro/year 10-01, team 10-16", "2026-10", "",
     ["base_fee pro 120.00", "proration_credit pro -115.07", "proration_charge team 30.97",
      "total 35.90"]),
]  # fmt: skip


@pytest.mark.parametrize(("plans", "month", "usage", "expected"), YEARS)
def test_features_are_sold_by_the_month_or_by_the_year(
    plans: str, month: str, usage: str, expected: list[str]
) -> None:
    assert billed("features", plans, usage, month=month) == expected


def test_soft_caps_deny_nothing_and_hard_ones_do_at_once_or_after_their_grace() -> None:
    [free] = entries("five_meters", "free 09-01")
    tokens, storage, seats = (free.meters[name] for name in ("tokens", "storage", "seats"))
    assert (tokens.soft, tokens.hard) == (Threshold(100, "10000"), None)
    assert (storage.hard, storage.deny_after_s) == (Threshold(100, "1"), 86_400)
    assert (seats.hard, seats.deny_after_s, seats.deny_at) == (Threshold(100, "3"), None, None)


def test_a_grace_by_share_denies_beyond_it_and_a_day_has_a_limit_of_its_own() -> None:
    [free] = entries("features", "free 09-01")
    messages = free.meters["messages"]
    assert (messages.hard, messages.deny_at) == (Threshold(100, "600"), "660")
    assert messages.windows["day"].hard == Threshold(100, "50")


def test_a_plan_without_caps_stops_nowhere() -> None:
    [standard] = entries("five_meters", "standard 09-01")
    assert not any(each.hard or each.soft for each in standard.meters.values())
    [enterprise] = entries("five_meters", "enterprise 09-01")
    assert enterprise.meters["seats"].included is None


def test_a_plan_tells_its_features() -> None:
    free, pro = entries("features", "free 09-01, pro 10-16")
    assert free.features == ("basic_chat", "community_browse")
    assert set(pro.features) > set(free.features)
    assert shipped("features").plans["team"].features == ("all_features",)
