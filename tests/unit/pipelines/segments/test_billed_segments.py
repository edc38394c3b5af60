"""What is read of the table of segments is what the subscriptions themselves say."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rating.fee_terms import told_versions
from pipelines.segments import billed_segments as bulk
from pipelines.segments.segment_tables import segment_table
from pipelines.segments.segments import bounds, parts
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from tests.builders import OCTOBER
from tests.strategies import subscriptions


@st.composite
def subscribed(draw: st.DrawFn) -> list[Subscription]:
    """At most one subscription of each tenant, on any anchor, by tenant."""
    found = st.lists(subscriptions(versions=(1, 2, 3)), max_size=4, unique_by=lambda s: s.tenant)
    days = st.sampled_from((1, 1, 16, 31))
    return [replace(s, anchor_day=draw(days)) for s in sorted(draw(found), key=lambda s: s.tenant)]


@settings(max_examples=15)
@given(subscribed())
def test_segments_say_what_subscriptions_say(found: list[Subscription]) -> None:
    billed = [each for each in found if parts(each, each.billed_in(OCTOBER))]
    table = bulk.subscribed(segment_table(found), OCTOBER)
    assert table.to_pylist() == segment_table(billed).to_pylist()
    assert bulk.bounds_table(bulk.in_force(table, OCTOBER)).to_pylist() == [
        {"tenant": each.tenant, "bounds": list(bounds(each, each.billed_in(OCTOBER)))}
        for each in billed
    ]
    lately = BillingPeriod(OCTOBER.end_ms - 86_400_000 * 7, OCTOBER.end_ms)
    recent = bulk.bounds_table(bulk.in_force_within(table, lately)).to_pylist()
    assert recent == [
        {"tenant": each.tenant, "bounds": list(cuts)}
        for each in billed
        if (cuts := bounds(each, lately))
    ]
    told = (told_versions(each, each.billed_in(OCTOBER)) for each in billed)
    assert bulk.told_versions(table, OCTOBER) == {version for own in told for version in own}
    assert bulk.anchored(segment_table(found), OCTOBER) == {
        each.tenant: each.billed_in(OCTOBER) for each in found if each.anchor_day != 1
    }
