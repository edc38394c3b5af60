"""The longest pause of landing, the one included that has not ended when the siege does."""

import pytest

from countinghouse.chaos.progress import Pause


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
        pause.note(reached, at)
    assert pause.longest == longest
