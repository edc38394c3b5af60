"""When a month may be closed, and by which cut."""

from collections.abc import Mapping

import pytest

from pipelines.checks.completeness import cut, ensure_over
from schemas.errors import PeriodNotComplete, PeriodNotOver
from schemas.vector import Vector
from tests.builders import at
from tests.fake_warehouse import FakeLog, FakeWarehouse

HOUR_MS = 3_600_000


def a_cut(
    ends: Mapping[int, int],
    landed: Mapping[int, int],
    counted: Mapping[int, int],
    *,
    with_counters: bool = True,
) -> Vector:
    """The cut for offsets by partition in epoch 2; epoch 1 is drained and landed up to 70."""
    log = FakeLog(_epoch_2(ends), _epoch_2(landed), earlier=Vector({(1, 0): 70}))
    usage = FakeWarehouse(counters_at=_epoch_2(counted))
    return cut(log.end, log, usage, with_counters=with_counters)


def _epoch_2(offsets: Mapping[int, int]) -> Vector:
    return Vector({(2, partition): offset for partition, offset in offsets.items()})


def test_the_cut_is_how_far_both_have_come_with_the_drained_topics_before() -> None:
    vector = a_cut({0: 10, 1: 20}, {0: 14, 1: 20}, {0: 12, 1: 25})
    assert vector == {(1, 0): 70, (2, 0): 12, (2, 1): 20}


def test_without_counters_the_cut_is_the_logs_end() -> None:
    vector = a_cut({0: 10, 1: 20}, {0: 14, 1: 20}, {}, with_counters=False)
    assert vector == {(1, 0): 70, (2, 0): 10, (2, 1): 20}


def test_an_idle_partition_has_nothing_to_wait_for() -> None:
    assert a_cut({0: 10, 1: 0}, {0: 10}, {0: 10}) == {(1, 0): 70, (2, 0): 10}


def test_a_new_topic_without_usage_leaves_the_one_before_it() -> None:
    assert a_cut({}, {}, {}) == {(1, 0): 70}


def test_an_empty_log_is_complete() -> None:
    assert cut(Vector(), FakeLog(), FakeWarehouse()) == {}


def test_a_month_that_waits_for_a_topic_is_complete_when_another_has_followed_it() -> None:
    log = FakeLog(landing=Vector({(2, 0): 5}), earlier=Vector({(1, 0): 70}))
    usage = FakeWarehouse(counters_at=Vector({(2, 0): 4}))
    assert cut(Vector({(1, 0): 60}), log, usage) == {(1, 0): 70, (2, 0): 4}


@pytest.mark.parametrize(
    ("landed", "counted", "reason"),
    [
        ({0: 10, 3: 796}, {0: 10, 3: 2000}, "landing: partition 3: 1,204 records behind"),
        (
            {0: 10, 3: 2000},
            {0: 9, 3: 1999},
            "counters: partition 0: 1 record behind, partition 3: 1 ",
        ),
        ({0: 10}, {}, "landing: partition 3: 2,000 records behind"),
    ],
)
def test_who_is_behind_is_named_with_how_far(
    landed: dict[int, int], counted: dict[int, int], reason: str
) -> None:
    with pytest.raises(PeriodNotComplete, match=reason):
        a_cut({0: 10, 3: 2000}, landed, counted)


def test_usage_that_goes_on_does_not_put_off_a_month_whose_ends_were_reached() -> None:
    busy = FakeLog(end=Vector({(2, 0): 99}), landing=Vector({(2, 0): 12}))
    usage = FakeWarehouse(counters_at=Vector({(2, 0): 15}))
    assert cut(Vector({(2, 0): 10}), busy, usage) == {(2, 0): 12}


def test_a_month_is_over_when_its_grace_is() -> None:
    ensure_over("2026-10", at("11-01 01:00"), HOUR_MS)
    with pytest.raises(PeriodNotOver, match=r"2026-10 may be closed from 2026-11-01T01:00:00Z on"):
        ensure_over("2026-10", at("11-01 01:00") - 1, HOUR_MS)
