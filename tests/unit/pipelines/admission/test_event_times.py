"""Times from remembered parts: which are remembered, and that no two make what the rule refuses."""

import pytest

from pipelines.admission.event_times import EventTimes
from schemas.event import EARLIEST_MS, LATEST_MS

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("accepted", "refused"),
    [
        ("2000-01-01T00:01:00.000-23:59", "2000-01-01T00:01:00.000+23:59"),
        ("2199-12-31T23:58:00.000+23:59", "2199-12-31T23:58:00.000-23:59"),
    ],
)
def test_a_second_near_a_limit_goes_with_no_other_zone(accepted: str, refused: str) -> None:
    times = EventTimes()
    for zone in ("+23:59", "-23:59"):
        times.read(f"2026-10-01T12:30:00.000{zone}")
    assert EARLIEST_MS <= times.read(accepted) < LATEST_MS
    with pytest.raises(ValueError, match="2000 to 2199"):
        times.read(refused)


def test_a_backslash_in_a_time_is_no_escape() -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        EventTimes().read("2026-10-01T12:30:00\\u005a")


@pytest.mark.parametrize("rest", ["Z", ".250Z", "+02:00", ".5-07:30", ".25+02:00", ".250+02:00"])
def test_a_rest_up_to_the_millisecond_is_remembered(rest: str) -> None:
    times = EventTimes()
    first_ms = times.read(f"2026-10-01T12:30:00{rest}")
    assert rest in times._rests
    assert times.read(f"2026-10-01T12:31:00{rest}") == first_ms + MINUTE_MS


@pytest.mark.parametrize("rest", [".2505Z", ".123456+02:00", ".1234567-07:00"])
def test_a_finer_one_is_not_as_it_hardly_comes_again(rest: str) -> None:
    times = EventTimes()
    times.read(f"2026-10-01T12:30:00{rest}")
    assert not times._rests
