"""What `status` says of the moment: means of what happened in it, and nothing of nothing."""

import pytest

from countinghouse.cli.status import now_of_counters, now_of_landing
from countinghouse.figures import Figures, Sample
from schemas import metrics as listed
from schemas.metrics import Metric


def told(at_s: float, *histograms: tuple[Metric, float, int]) -> Figures:
    """Figures of one moment, of histograms with their sum and count."""
    samples = [
        Sample(metric.sample + suffix, {}, value)
        for metric, total, count in histograms
        for suffix, value in (("_sum", total), ("_count", count))
    ]
    return Figures(at_s, None, tuple(samples))


BEFORE = told(
    0, (listed.FLUSH, 10.96, 10), (listed.BATCH_ROWS, 900, 9), (listed.BATCH_SECONDS, 9, 9)
)


def test_a_mean_is_of_the_moment_and_not_of_all_times() -> None:
    now = told(
        1, (listed.FLUSH, 11.16, 12), (listed.BATCH_ROWS, 2900, 10), (listed.BATCH_SECONDS, 9.2, 10)
    )
    assert now_of_counters(now, BEFORE) == "100 ms a transaction"
    assert now_of_landing(now, BEFORE) == "2,000 rows a batch in 200 ms"


@pytest.mark.parametrize(
    "now", [BEFORE, told(1), told(1, (listed.FLUSH, 0, 0), (listed.BATCH_ROWS, 900, 12))]
)
def test_without_traffic_that_is_said(now: Figures) -> None:
    assert now_of_counters(now, BEFORE) == "no transaction just now"
    assert now_of_landing(now, BEFORE) == "no batch just now"
