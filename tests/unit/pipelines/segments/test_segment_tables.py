"""Subscriptions become rows and come back as they were."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipelines.columns.tables import rows_of
from pipelines.segments.segment_tables import segment_table, subscriptions_of
from schemas.subscription import PlanSegment, Subscription
from schemas.tables import SEGMENT_COLUMNS
from tests.builders import a_subscription
from tests.strategies import subscriptions


@given(st.lists(subscriptions(versions=(1, 2)), max_size=4, unique_by=lambda each: each.tenant))
def test_rows_say_all_but_the_card(found: list[Subscription]) -> None:
    in_order = sorted(found, key=lambda each: each.tenant)
    told = list(subscriptions_of(segment_table(found)))
    assert told == [replace(each, card="") for each in in_order]


def test_a_row_is_a_segment() -> None:
    trial = PlanSegment("pro", 3, 1000, 2000, phase="trial")
    paid = PlanSegment("pro", 4, 2000, None, interval="year")
    table = segment_table([Subscription("sub_1", "acme", "USD", "", (trial, paid), 31)])
    assert {field.name: str(field.type) for field in table.schema} == SEGMENT_COLUMNS
    assert [tuple(row.values()) for row in rows_of(table)] == [
        ("acme", "sub_1", "USD", 31, 0, "pro", 3, 1000, 2000, "month", "trial"),
        ("acme", "sub_1", "USD", 31, 1, "pro", 4, 2000, None, "year", "active"),
    ]


def test_rows_are_by_tenant_and_id() -> None:
    one = a_subscription("pro 09-01")
    found = [replace(one, tenant=tenant, id=name) for tenant, name in ("b1", "a2", "a1")]
    assert segment_table(found)["subscription"].to_pylist() == ["1", "2", "1"]


def test_a_subscription_without_segments_has_no_row() -> None:
    assert segment_table([replace(a_subscription("pro 09-01"), segments=())]).num_rows == 0
