"""How counters take in values that do not add up, and what of them is in a row."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.meter import UNIQUE_BOUND, Aggregation, Meter
from schemas.quantity import MICRO, format_micro
from schemas.quota import QuotaState, Window
from streams.counting.folds import FOLDS, Counter, add_member, memory_fields, merge
from streams.counting.rows import restore_row

NOT_ADDITIVE: list[Aggregation] = ["max", "latest", "unique_count"]
values = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 4)), min_size=1)


def counted(aggregation: Aggregation, taken: list[tuple[int, int]]) -> Counter:
    """A counter that took in (value, time) pairs."""
    counter = Counter(0, 0, 0)
    for value, time_ms in taken:
        if aggregation == "unique_count":
            add_member(counter, str(value))
        else:
            FOLDS[aggregation](counter, value, time_ms)
    return counter


@given(values)
def test_max_latest_and_unique_by_their_definitions(taken: list[tuple[int, int]]) -> None:
    assert counted("max", taken).used == max(value for value, _ in taken)
    last = max(range(len(taken)), key=lambda n: (taken[n][1], n))
    assert counted("latest", taken).used == taken[last][0]
    assert counted("unique_count", taken).used == len({value for value, _ in taken}) * MICRO


@given(values, values, st.sampled_from(NOT_ADDITIVE))
def test_parts_of_a_window_make_the_whole(
    first: list[tuple[int, int]], second: list[tuple[int, int]], aggregation: Aggregation
) -> None:
    later = [(value, time_ms + 10) for value, time_ms in second]
    whole = Counter(0, 0, 0)
    for part in (counted(aggregation, first), counted(aggregation, later)):
        merge(whole, part, aggregation)
    assert whole.used == counted(aggregation, [*first, *later]).used


@given(values, st.sampled_from(NOT_ADDITIVE))
def test_a_part_without_a_value_adds_none(
    taken: list[tuple[int, int]], aggregation: Aggregation
) -> None:
    part, whole = counted(aggregation, taken), Counter(0, 0, 0)
    for each in (Counter(0, 0, 0), part, Counter(0, 0, 0)):
        merge(whole, each, aggregation)
    assert (whole.used, whole.memory) == (part.used, part.memory)


@given(values, st.sampled_from(NOT_ADDITIVE))
def test_a_counter_goes_on_from_its_row(
    taken: list[tuple[int, int]], aggregation: Aggregation
) -> None:
    before = counted(aggregation, taken)
    state = QuotaState(
        tenant="acme",
        meter="m",
        window=Window("day", "2026-10-05T00:00:00Z", "2026-10-06T00:00:00Z"),
        used=format_micro(before.used),
        limit=None,
        decision="allow",
        resets_at="",
        announced=(),
        epoch=1,
        position=1,
        entitlement_version=0,
        **memory_fields(before),
    )
    meter = Meter(name="m", event_type="t", aggregation=aggregation, value=("v",))
    after = Counter(0, 0, 0)
    restore_row(after, meter, state)
    assert (after.used, after.memory) == (before.used, before.memory)


def test_a_unique_counter_stays_at_its_bound() -> None:
    counter = counted("unique_count", [(n, 0) for n in range(UNIQUE_BOUND + 5)])
    assert counter.used == UNIQUE_BOUND * MICRO
    assert len(memory_fields(counter)["members"]) <= UNIQUE_BOUND * 8 * 4 / 3 + 4
