"""What a tenant may use is what its invoice includes, whatever the policies of its plans."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rating.entitlements import timeline
from pipelines.rating.pools import pools
from pipelines.segments.segments import parts
from schemas.catalog import Catalog
from schemas.entitlement import MADE_BY
from schemas.quantity import format_micro
from schemas.subscription import Subscription
from tests.builders import OCTOBER
from tests.plan_lives import a_life, shown
from tests.strategies import catalogs, subscriptions


def _plan(included: str, **policies: str) -> dict[str, Any]:
    card = {"included": included, "hard_limit": 100}
    return {"base_fee": {"USD": "0"}, "meters": {"calls": card}, "policies": policies}


CATALOG = Catalog.model_validate(
    {
        "name": "pools",
        "currencies": ("USD",),
        "default_plan": "small",
        "meters": {"calls": {"event_type": "call", "aggregation": "count"}},
        "plans": {
            "small": _plan("310"),
            "full": _plan("3100", included_on_upgrade="full"),
            "whole": _plan("3100", proration="none"),
            "daily": _plan("3100", proration="day"),
            "own": _plan("3100", pool="per_segment"),
        },
    }
)


@pytest.mark.parametrize(
    ("life", "limits"),
    [
        # 100 of small, and all of the 3,100
        ("small 09-01, full 10-11", ["10-01 310", "10-11 3200", "11-01 3100"]),
        # there and back again brings no more: 100 + 3,100 + 140
        ("small 09-01, full 10-11, small 10-18",
         ["10-01 310", "10-11 3200", "10-18 3340", "11-01 310"]),
        ("whole 10-11", ["10-11 3100", "11-01 3100"]),
        # a change counts from the next period on
        ("whole 09-01, whole 10-11", ["10-01 3100", "10-11 3100", "11-01 3100"]),
        # a day belongs to what it ends with: 21 days
        ("daily 10-11 12:00", ["10-11 12:00 2100", "11-01 3100"]),
        # counters count the period, so what each may use of its own is together: 100 + 2,100
        ("small 09-01, own 10-11", ["10-01 310", "10-11 2200", "11-01 3100"]),
        # what the default plan lends in a gap is not billed, and is not there when it ends
        ("whole 09-01 .. 10-11, full 10-21",
         ["10-01 3100", "10-11 3310", "10-21 4200", "11-01 3100"]),
    ],
)  # fmt: skip
def test_a_hard_limit_stops_at_what_is_included(life: str, limits: list[str]) -> None:
    entries = timeline(a_life(life), {1: CATALOG}, OCTOBER)
    found = [
        (entry, entry.meters["calls"]) for entry in entries if entry.from_ms >= OCTOBER.start_ms
    ]
    assert [f"{shown(entry.from_ms)} {calls.included}" for entry, calls in found] == limits
    assert all(calls.hard and calls.hard.at == calls.included for _, calls in found)


def test_whoever_makes_other_timelines_raises_the_revision() -> None:
    """Else what is published stays as it was until each tenant's next change or month."""
    plans = (*CATALOG.plans, *(f"small 09-01, {plan} 10-11 12:00" for plan in CATALOG.plans))
    lives = [it if " " in it else f"{it} 09-16 .. 10-11, {it} 10-21" for it in plans]
    made = [timeline(a_life(it, day), {1: CATALOG}, OCTOBER) for it in lives for day in (1, 16)]
    assert (MADE_BY, sha256(msgspec.json.encode(made)).hexdigest()[:16]) == (2, "d3ecb8dda66d27dd")


@given(st.data(), subscriptions(), catalogs(with_policies=True))
def test_what_is_included_at_the_end_of_a_period_is_the_invoices_pool(
    data: st.DataObject, subscription: Subscription, catalog: Catalog
) -> None:
    found = parts(subscription, OCTOBER)
    if not found or found[-1].period.end_ms < OCTOBER.end_ms:
        return
    own = [
        it for it in timeline(subscription, {1: catalog}, OCTOBER) if OCTOBER.contains(it.from_ms)
    ]
    for meter, entitled in own[-1].meters.items():
        billed = pools(found, meter, OCTOBER, {1: catalog}).values()
        total = sum(each for each in billed if each is not None)
        assert entitled.included == (None if None in billed else format_micro(total))
