"""What `reconcile` says of late repeats and of landing: by meter, and how far behind."""

import pytest

from countinghouse.cli.reconcile import _tell_lag, late_repeats
from schemas.closing import CounterComparison
from schemas.quota import WindowKind
from tests.builders import units


def a_counter(meter: str, kind: WindowKind, repeats: int) -> CounterComparison:
    return CounterComparison(
        tenant="acme",
        meter=meter,
        window_kind=kind,
        window_start_ms=0,
        counter_micro=units(10 + repeats),
        warehouse_micro=units(10),
        beyond_window_micro=units(repeats),
    )


def test_late_repeats_are_told_by_meter_and_once_for_all_its_windows() -> None:
    rows = [
        a_counter("tokens", "billing_period", 19_072),
        a_counter("tokens", "day", 19_072),
        a_counter("input_tokens", "billing_period", 9_000),
        a_counter("requests", "billing_period", 0),
    ]
    assert late_repeats(rows) == ["9000 input_tokens", "19072 tokens"]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (0, ""),
        (1, "landing is 1 record behind the log; what came since was not compared\n"),
        (1204, "landing is 1,204 records behind the log; what came since was not compared\n"),
    ],
)
def test_how_far_landing_is_behind_is_told(
    capsys: pytest.CaptureFixture[str], records: int, said: str
) -> None:
    _tell_lag(records)
    assert capsys.readouterr().err == said
