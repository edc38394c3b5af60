"""The running month: exact so far, and at the pace of seven days to its end."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.reports.preview import Upcoming, upcoming_invoices
from pipelines.segments.segment_tables import segment_table
from pipelines.usage.projection import projected
from schemas.quantity import MOST_MICRO
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import OCTOBER, a_subscription, at, llm_tokens, units, usage_table
from tests.fake_warehouse import FakeWarehouse, Used
from tests.fakes import FakeLedger

AS_OF = Vector({(1, 0): 100})
NOW = "10-24"


def upcoming(
    subscriptions: Sequence[Subscription], used: Sequence[tuple[str, int]], now: str = NOW
) -> list[Upcoming]:
    """The next invoices of tenants who all used tokens at these times."""
    events = [
        Used(each.tenant, "tokens", at(when), units(tokens), 0, offset)
        for each in subscriptions
        for offset, (when, tokens) in enumerate(used)
    ]
    ledger, warehouse = FakeLedger({1: llm_tokens()}, list(subscriptions)), FakeWarehouse(events)
    found = upcoming_invoices("2026-10", ledger, warehouse, AS_OF, at(now))
    assert ledger.writes == []
    return found


def minor(found: Sequence[Upcoming]) -> list[tuple[int, int, int]]:
    return [
        (it.fees.amount_minor, it.so_far.amount_minor, it.projected.amount_minor) for it in found
    ]


USED_EARLY = ("10-02", 900_000)
CASES = [
    # 700,000 in seven days are 100,000 a day: 800,000 more in eight days; 8.00 a million.
    ("pro 09-01", [USED_EARLY, ("10-20", 700_000)], NOW, (4999, 4999 + 480, 4999 + 1120)),
    # Nothing lately: nothing more.
    ("pro 09-01", [("10-02", 2_000_000)], NOW, (4999, 5799, 5799)),
    # A plan of two days has the pace of these two: 200,000 a day for eight days.
    ("pro 10-22", [("10-23", 400_000)], NOW, (1613, 1613 + 62, 1613 + 1342)),
    # From the 28th on the plan is enterprise: its pool and price are those of the rest.
    ("pro 09-01, enterprise 10-28", [("10-20", 7_000_000)], NOW, (6935, 10806, 16006)),
    # What has ended is not projected.
    ("pro 09-01 .. 10-20", [("10-18", 7_000_000)], NOW, (3064, 8174, 8174)),
    # On the first day the pace reaches back into the month before.
    ("pro 09-01", [("09-28", 1_400_000)], "10-01", (4999, 4999, 4999 + 4160)),
]


@pytest.mark.parametrize(("plans", "used", "now", "expected"), CASES)
def test_a_month_goes_on_at_the_pace_of_seven_days(
    plans: str, used: list[tuple[str, int]], now: str, expected: tuple[int, int, int]
) -> None:
    assert minor(upcoming([a_subscription(plans)], used, now)) == [expected]


def test_a_period_that_begins_on_another_day_is_projected_to_its_own_end() -> None:
    own = replace(a_subscription("pro 08-01"), anchor_day=26)
    [found] = upcoming([own], [("10-20", 700_000)])
    assert (found.period.start_ms, found.period.end_ms) == (at("09-26"), at("10-26"))
    assert found.so_far.amount_minor == found.projected.amount_minor == 4999


def test_only_what_adds_up_is_projected() -> None:
    subscription = a_subscription("pro 09-01")
    rows = [("acme", meter, 1, "", units(70), 1) for meter in ("seats", "tokens")]
    used, segments = usage_table(rows), segment_table([subscription])
    table = projected(used, used, segments, OCTOBER, at("10-25"), ["tokens"])
    assert {row["meter"]: row["quantity_micro"] for row in table.to_pylist()} == {
        "seats": units(70),
        "tokens": units(140),
    }


def test_more_than_can_be_said_is_projected_to_be_as_much() -> None:
    """100,000,000 units in a plan's first ten seconds; what the month is going to is no number."""
    found = upcoming(
        [a_subscription("pro 10-10", "acme"), a_subscription("pro 09-01", "bolt")],
        [("10-10 00:00:05", 100_000_000)],
        "10-10 00:00:10",
    )
    assert [each.tenant for each in found] == ["acme", "bolt"]


def test_what_was_used_and_what_is_to_come_do_not_wrap_together() -> None:
    segments = segment_table([a_subscription("pro 09-01")])
    used = usage_table([("acme", "tokens", 1, "", MOST_MICRO - 1, 1)])
    recent = usage_table([("acme", "tokens", 1, "", units(70), 1)])
    table = projected(used, recent, segments, OCTOBER, at("10-25"), ["tokens"])
    assert table["quantity_micro"].to_pylist() == [MOST_MICRO]


quantities = st.integers(0, 10**12)


@settings(max_examples=8)
@given(st.lists(quantities, max_size=5), st.integers(0, 30))
def test_a_projection_is_never_below_what_is_certain(used: list[int], day: int) -> None:
    subscription = a_subscription("pro 09-01, enterprise 10-16")
    events = [
        Used("acme", "tokens", OCTOBER.start_ms + place * 86_400_000, micro, 0, place)
        for place, micro in enumerate(used)
    ]
    ledger = FakeLedger({1: llm_tokens()}, [subscription])
    now_ms = OCTOBER.start_ms + day * 86_400_000
    [found] = upcoming_invoices("2026-10", ledger, FakeWarehouse(events), AS_OF, now_ms)
    assert found.projected.amount_minor >= found.so_far.amount_minor >= found.fees.amount_minor
