"""The longest pauses of landing and of counting."""

import json

import pytest

from countinghouse.chaos.progress import Pause
from countinghouse.chaos.topics import PositionPauses, Read


@pytest.mark.parametrize(
    ("samples", "longest"),
    [
        ([(5, 1.0), (9, 1.5), (12, 2.0)], 1.0),
        ([(5, 1.0), (5, 1.5), (12, 4.0), (13, 4.5)], 3.0),
        ([(5, 1.0), (9, 1.5), (9, 2.0), (9, 22.0)], 20.5),
        ([(5, 1.0), (0, 2.0), (0, 9.0)], 8.0),
        ([(0, 1.0), (0, 2.0)], 1.0),
    ],
)
def test_a_pause_counts_while_it_goes_on(samples: list[tuple[int, float]], longest: float) -> None:
    pause = Pause(0.0)
    for reached, at in samples:
        pause.note({0: reached}, at)
    assert pause.longest == longest


def test_a_partition_that_is_not_told_hides_no_other() -> None:
    pause = Pause(0.0)
    for reached, at in [({0: 900, 1: 5}, 1.0), ({1: 7}, 2.0), ({1: 9}, 3.0), ({0: 900}, 5.0)]:
        pause.note(reached, at)
    assert pause.longest == 2.0


def position(partition: int, at_ms: int, *, complete: bool = True) -> Read:
    value = json.dumps({"usage": 1, "entitlements": 0, "complete": complete}).encode()
    return Read(partition, 0, at_ms, b"\x00position", value, {})


@pytest.mark.parametrize(("ended_ms", "longest_ms"), [(4_100, 3_000), (6_500, 4_500)])
def test_counting_pauses_until_a_partitions_next_complete_position(
    ended_ms: int, longest_ms: int
) -> None:
    pauses = PositionPauses()
    for record in (
        position(0, 1_000),
        position(1, 1_100),
        Read(0, 0, 1_200, b'["a","m","hour","now"]', b"{}", {}),
        position(0, 1_900, complete=False),
        position(0, 4_000),
        position(1, 2_000),
    ):
        pauses.take(record)
    assert pauses.until(ended_ms) == longest_ms
