"""What must hold of metering, whatever the events; worked examples are in `docs/meters.md`."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.metering import Metered, Quantity, meter_usage
from schemas.meter import Aggregation
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from tests.builders import OCTOBER, at

AGGREGATIONS = get_args(Aggregation)
aggregations = st.sampled_from(AGGREGATIONS)
instants = st.integers(-3, 33).map(lambda day: OCTOBER.start_ms + day * 86_400_000)
cuts = st.sets(st.integers(0, 31).map(lambda d: OCTOBER.start_ms + d * 86_400_000), max_size=4)
bounds = cuts.map(lambda found: sorted(found - {OCTOBER.end_ms}))
events = st.lists(
    st.builds(
        Metered,
        instants,
        st.integers(0, 10**6),
        st.integers(-(10**9), 10**9),
        st.sampled_from("abcde"),
        st.sampled_from(["", "small", "large"]),
    ),
    unique_by=lambda event: event.position,
    max_size=12,
)


@given(aggregations, events, bounds)
def test_segments_add_up_to_the_whole(
    aggregation: Aggregation, found: list[Metered], cut: list[int]
) -> None:
    whole = meter_usage(aggregation, found, OCTOBER)
    parts: dict[str, list[Quantity]] = {}
    for (_, dimension), quantity in meter_usage(aggregation, found, OCTOBER, cut).items():
        parts.setdefault(dimension, []).append(quantity)
    assert {d: sum(q.micro for q in own) for d, own in parts.items() if any(own)} == {
        d: q.micro for (_, d), q in whole.items()
    }
    assert sum(q.events for own in parts.values() for q in own) == sum(
        OCTOBER.contains(event.time_ms) for event in found
    )


@given(aggregations, st.data(), events, bounds)
def test_the_order_in_which_events_are_told_does_not_matter(
    aggregation: Aggregation, data: st.DataObject, found: list[Metered], cut: list[int]
) -> None:
    shuffled = data.draw(st.permutations(found))
    once = meter_usage(aggregation, found, OCTOBER, cut)
    assert meter_usage(aggregation, shuffled, OCTOBER, cut) == once


@given(aggregations, events)
def test_what_happens_after_a_segment_does_not_change_it(
    aggregation: Aggregation, found: list[Metered]
) -> None:
    middle = OCTOBER.start_ms + 15 * 86_400_000
    earlier = [event for event in found if event.time_ms < middle]
    first = BillingPeriod(OCTOBER.start_ms, middle)
    whole = meter_usage(aggregation, found, OCTOBER, [middle])
    alone = meter_usage(aggregation, earlier, first)
    assert {key: q for key, q in whole.items() if key[0] == 0} == alone


@given(st.sampled_from(["count", "sum", "max", "unique_count"]), events)
def test_more_events_never_lessen_what_only_grows(
    aggregation: Aggregation, found: list[Metered]
) -> None:
    positive = [event._replace(value_micro=abs(event.value_micro)) for event in found]
    cut = [OCTOBER.start_ms + day * 86_400_000 for day in range(1, 31)]
    assert all(q.micro >= 0 for q in meter_usage(aggregation, positive, OCTOBER, cut).values())


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_without_events_there_is_no_usage(aggregation: Aggregation) -> None:
    assert meter_usage(aggregation, [], OCTOBER, [at("10-16")]) == {}
    later = [Metered(OCTOBER.end_ms, 0)]
    assert meter_usage(aggregation, later, OCTOBER) == {}


@pytest.mark.parametrize("aggregation", sorted(set(AGGREGATIONS) - {"time_weighted"}))
def test_what_was_before_the_period_is_no_usage(aggregation: Aggregation) -> None:
    assert meter_usage(aggregation, [Metered(OCTOBER.start_ms - 1, 0)], OCTOBER) == {}


def test_of_readings_at_one_instant_the_one_of_the_greatest_position_holds() -> None:
    readings = [Metered(at("10-31"), 1, 5 * MICRO), Metered(at("10-31"), 0, 7 * MICRO)]
    assert meter_usage("latest", readings, OCTOBER) == {(0, ""): Quantity(5 * MICRO, 2)}
    assert meter_usage("time_weighted", readings, OCTOBER) == {(0, ""): Quantity(120 * MICRO, 2)}


def test_a_gauge_goes_on_where_nothing_is_read() -> None:
    reading = [Metered(at("09-30") - 40 * 86_400_000, 0, MICRO)]
    found = meter_usage("time_weighted", reading, OCTOBER, [at("10-11"), at("10-21")])
    assert found == {
        (0, ""): Quantity(240 * MICRO, 0),
        (1, ""): Quantity(240 * MICRO, 0),
        (2, ""): Quantity(264 * MICRO, 0),
    }
    off = [*reading, Metered(OCTOBER.start_ms, 1, 0)]
    assert meter_usage("time_weighted", off, OCTOBER) == {(0, ""): Quantity(0, 1)}
