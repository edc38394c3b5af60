"""What a tenant may use and when: worked examples, by hand, and the rules about pools."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rating.entitlements import default_entry, timeline
from schemas.catalog import Catalog
from schemas.entitlement import (
    EntitlementEntry,
    MeterEntitlement,
    QuotaEntitlement,
    Threshold,
)
from schemas.period import BillingPeriod, parse_instant
from schemas.quantity import to_micro
from schemas.subscription import PlanSegment, Subscription
from tests.plan_lives import a_life, shown


def a_catalog(free: str = "100000") -> Catalog:
    def plan(**card: Any) -> dict[str, Any]:
        return {"base_fee": {"USD": "0"}, "meters": {"tokens": card}, "features": ["chat"]}

    return Catalog.model_validate(
        {
            "name": "llm",
            "currencies": ("USD",),
            "default_plan": "free",
            "meters": {
                "tokens": {"event_type": "llm.request", "aggregation": "sum", "value": ["n"]}
            },
            "plans": {
                "free": plan(included=free, hard_limit=100),
                "pro": plan(included="1000000", hard_limit=150),
                "enterprise": plan(included="10000000"),
                "boundless": plan(included=None),
                "metered": plan(included="0", hard_limit=100),
            },
        }
    )


def a_subscription(*segments: str) -> Subscription:
    """Each segment as "plan from [to]"."""
    parts = [segment.split() for segment in segments]
    return Subscription(
        "s1",
        "acme",
        "USD",
        "card",
        tuple(
            PlanSegment(
                plan, 1, parse_instant(span[0]), parse_instant(span[1]) if span[1:] else None
            )
            for plan, *span in parts
        ),
    )


def written(subscription: Subscription, month: str = "2026-10") -> list[str]:
    """The timeline as lines of instant, plan, pool, hard limit."""
    entries = timeline(subscription, {1: a_catalog()}, BillingPeriod.month(month))
    return [line(entry) for entry in entries]


def line(entry: EntitlementEntry) -> str:
    tokens = entry.meters["tokens"]
    return f"{entry.from_} {entry.plan} {tokens.included} {tokens.hard and tokens.hard.at}"


OCT, NOV, DEC = "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"
OCT_16 = "2026-10-16T00:00:00Z"


def test_an_upgrade_in_the_middle_of_the_month_adds_the_parts_of_both_pools() -> None:
    upgraded = a_subscription(f"free {OCT} {OCT_16}", f"pro {OCT_16}")
    assert written(upgraded) == [
        f"{OCT} free 100000 100000",
        f"{OCT_16} pro 564516.129032 846774.193548",
        f"{NOV} pro 1000000 1500000",
    ]


def test_thresholds_are_percentages_of_the_pool_in_absolute_numbers() -> None:
    [october, _] = timeline(
        a_subscription(f"free {OCT}"), {1: a_catalog()}, BillingPeriod.month("2026-10")
    )
    assert october.meters["tokens"] == MeterEntitlement(
        included="100000",
        thresholds=(Threshold(80, "80000"), Threshold(100, "100000"), Threshold(120, "120000")),
        hard=Threshold(100, "100000"),
    )
    assert october.features == ("chat",)


def test_a_start_in_the_middle_of_the_month_has_its_part_of_the_pool() -> None:
    assert written(a_subscription(f"pro {OCT_16}")) == [
        f"{OCT_16} pro 516129.032258 774193.548387",
        f"{NOV} pro 1000000 1500000",
    ]


def test_after_an_end_the_default_plan_is_lent_on_top_of_what_was_earned() -> None:
    ended = a_subscription(f"pro {OCT} {OCT_16}")
    assert written(ended) == [
        f"{OCT} pro 1000000 1500000",
        f"{OCT_16} free {OWN_AND_LENT} {OWN_AND_LENT}",
        f"{NOV} free 100000 100000",
    ]


OWN_AND_LENT = "535483.870966"
"""floor(1,000,000 × 15/31) + floor(100,000 × 16/31) = 483,870.967741 + 51,612.903225"""


def test_a_gap_lends_the_default_plan_and_leaves_nothing_to_the_next() -> None:
    gap = a_subscription(
        f"pro {OCT} 2026-10-11T00:00:00Z", "pro 2026-10-21T00:00:00Z 2026-12-16T00:00:00Z"
    )
    assert written(gap)[:3] == [
        f"{OCT} pro 1000000 1500000",
        "2026-10-11T00:00:00Z free 390322.580644 390322.580644",  # 322,580.645161 + 67,741.935483
        "2026-10-21T00:00:00Z pro 677419.354838 1016129.032257",  # 322,580.645161 + 354,838.709677
    ]


def test_a_scheduled_change_later_is_there_with_the_month_after_it() -> None:
    planned = a_subscription(f"pro {OCT} 2027-02-15T00:00:00Z", "enterprise 2027-02-15T00:00:00Z")
    assert [entry.split()[:2] for entry in written(planned)] == [
        [OCT, "pro"],
        [NOV, "pro"],
        ["2027-02-01T00:00:00Z", "pro"],
        ["2027-02-15T00:00:00Z", "enterprise"],
        ["2027-03-01T00:00:00Z", "enterprise"],
    ]


def test_three_months_before_the_running_one_are_held_for_late_usage() -> None:
    old = a_subscription("pro 2025-01-01T00:00:00Z")
    assert [entry.split()[0] for entry in written(old, "2026-11")] == [
        "2026-08-01T00:00:00Z",
        "2026-09-01T00:00:00Z",
        OCT,
        NOV,
        DEC,
    ]


def test_without_a_segment_there_is_nothing_to_say() -> None:
    assert written(a_subscription()) == []


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ("boundless", MeterEntitlement(included=None)),
        ("metered", MeterEntitlement("0", (), Threshold(100, "0"))),
    ],
    ids=["unlimited", "nothing included"],
)
def test_no_alerts_where_the_pool_is_unlimited_or_nothing(
    plan: str, expected: MeterEntitlement
) -> None:
    [october, _] = timeline(
        a_subscription(f"{plan} {OCT}"), {1: a_catalog()}, BillingPeriod.month("2026-10")
    )
    assert october.meters["tokens"] == expected


def test_an_unlimited_part_makes_the_whole_month_unlimited() -> None:
    upgraded = a_subscription(f"boundless {OCT} {OCT_16}", f"pro {OCT_16}")
    assert written(upgraded)[1:] == [f"{OCT_16} pro None None", f"{NOV} pro 1000000 1500000"]


def test_each_segment_keeps_its_own_version_of_the_price_list() -> None:
    kept = a_subscription(f"free {OCT}")
    catalogs = {1: a_catalog(), 2: a_catalog(free="5")}
    [october, _] = timeline(kept, catalogs, BillingPeriod.month("2026-10"))
    assert line(october) == f"{OCT} free 100000 100000"


def test_the_default_plan_of_the_newest_price_list_fills_gaps() -> None:
    ended = a_subscription(f"pro 2026-09-01T00:00:00Z {OCT}")
    catalogs = {1: a_catalog(), 2: a_catalog(free="5")}
    entries = timeline(ended, catalogs, BillingPeriod.month("2026-10"))
    assert line(entries[1]) == f"{OCT} free 5 5"


def test_without_a_message_the_default_plan_is_whole() -> None:
    assert line(default_entry(a_catalog())) == "1970-01-01T00:00:00Z free 100000 100000"


@given(
    st.lists(st.integers(1, 31 * 86_400 - 1), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(["free", "pro", "enterprise"]), min_size=5, max_size=5),
)
def test_the_last_pool_of_a_month_is_the_sum_of_its_floored_parts(
    cuts: list[int], plans: list[str]
) -> None:
    month = BillingPeriod.month("2026-10")
    bounds = [month.start_ms, *(month.start_ms + 1000 * cut for cut in sorted(cuts)), None]
    segments = [
        PlanSegment(plan, 1, start, end)
        for plan, start, end in zip(plans, bounds, bounds[1:], strict=False)
        if start is not None
    ]
    catalog = a_catalog()
    subscription = Subscription("s1", "acme", "USD", "card", tuple(segments))
    entries = timeline(subscription, {1: catalog}, month)
    expected = 0
    for segment, part in subscription.parts(month):
        included = catalog.plans[segment.plan].meters["tokens"].included
        assert included is not None
        expected += included * part.duration_ms // month.duration_ms
    assert to_micro(entries[-2].meters["tokens"].included) == expected


def limits_of(**card: Any) -> MeterEntitlement:
    """What a card of the default plan limits."""
    body = a_catalog().model_dump(mode="json")
    body["plans"]["free"]["meters"]["tokens"] = {"included": "1000", **card}
    return default_entry(Catalog.model_validate(body)).meters["tokens"]


def test_a_soft_limit_takes_the_place_of_the_alert_at_its_percentage() -> None:
    found = limits_of(soft_limit=100)
    assert found.soft == Threshold(100, "1000")
    assert [threshold.percent for threshold in found.thresholds] == [80, 120]
    assert found.hard is None


@pytest.mark.parametrize(
    ("grace", "deny_at", "deny_after_s"), [("10%", "1650", None), ("24h", None, 86_400)]
)
def test_a_grace_puts_off_the_denial_not_the_limit(
    grace: str, deny_at: str | None, deny_after_s: int | None
) -> None:
    found = limits_of(hard_limit=150, grace=grace)
    assert found.hard == Threshold(150, "1500")
    assert (found.deny_at, found.deny_after_s) == (deny_at, deny_after_s)


def test_quotas_of_windows_are_whole_whatever_part_of_the_month_is_left() -> None:
    hour = {"limit": "50", "grace": "10%"}
    found = limits_of(quotas={"hour": hour, "day": {"limit": "200", "enforcement": "soft"}})
    assert found.windows == {
        "hour": QuotaEntitlement(
            "50", (Threshold(80, "40"),), hard=Threshold(100, "50"), deny_at="55"
        ),
        "day": QuotaEntitlement("200", (Threshold(80, "160"),), soft=Threshold(100, "200")),
    }


def test_an_unlimited_meter_may_have_a_limit_of_the_period() -> None:
    found = limits_of(included=None, quotas={"billing_period": {"limit": "3"}})
    assert (found.included, found.hard, found.windows) == ("3", Threshold(100, "3"), {})


@pytest.mark.parametrize(
    ("life", "anchor_day", "month", "expected"),
    [
        # each period of an anniversary has the whole pool
        ("pro 10-16", 16, "2026-10", ["10-16 pro 1000000", "11-16 pro 1000000"]),
        ("pro 10-16", 16, "2026-11",
         ["10-16 pro 1000000", "11-16 pro 1000000", "12-16 pro 1000000"]),
        # the first one begins at noon and is half a day short of its 31 days
        ("pro 10-16 12:00", 16, "2026-10",
         ["10-16 12:00 pro 983870.967741", "11-16 pro 1000000"]),
        ("pro 2027-01-31", 31, "2027-02",
         ["2027-01-31 pro 1000000", "2027-02-28 pro 1000000", "2027-03-31 pro 1000000"]),
        # upgraded after 15 of 30 days, 16 November to 16 December
        ("free 11-16, pro 12-01", 16, "2026-11",
         ["11-16 free 100000", "12-01 pro 550000", "12-16 pro 1000000"]),
    ],
)  # fmt: skip
def test_periods_begin_on_the_anchors_day(
    life: str, anchor_day: int, month: str, expected: list[str]
) -> None:
    entries = timeline(a_life(life, anchor_day), {1: a_catalog()}, BillingPeriod.month(month))
    found = [
        f"{shown(entry.from_ms)} {entry.plan} {entry.meters['tokens'].included}"
        for entry in entries
    ]
    assert found == expected
    assert {entry.anchor_day for entry in entries} == {anchor_day}


def test_a_trial_lends_its_plan_and_its_pool_stays_for_its_usage_is_counted() -> None:
    assert written(a_life("trial pro 10-01, pro 10-16")) == [
        f"{OCT} pro 1000000 1500000",
        f"{OCT_16} pro 999999.999999 1499999.999998",  # 483,870.967741 + 516,129.032258
        f"{NOV} pro 1000000 1500000",
    ]


def test_in_a_pause_the_default_plan_is_lent_as_in_a_gap() -> None:
    paused = written(a_life("pro 10-01, paused pro 10-11, pro 10-21 .. 12-16"))
    assert paused == written(a_life("pro 10-01 .. 10-11, pro 10-21 .. 12-16"))
    assert written(a_life("pro 10-01, paused pro 10-16")) == written(a_life("pro 10-01 .. 10-16"))
