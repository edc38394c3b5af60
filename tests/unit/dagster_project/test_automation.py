"""What happens by itself, and when: the month's end, the drafts' time for review."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import automation
from dagster_project.automation import month_before, request_finalize
from schemas.closing import Closing, ClosingState
from schemas.vector import Vector
from tests.builders import at
from tests.unit.dagster_project.months import CLOSE, MONTH, Month, a_month

DAY_MS = 86_400_000
OPENED = Closing(MONTH, Vector(), 1, "1", at("11-01 01:05"))


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return a_month(tmp_path)


def tick(month: Month, monkeypatch: pytest.MonkeyPatch, at_ms: int) -> dg.RunRequest | str:
    """What the sensor says at an instant."""
    monkeypatch.setattr(automation, "now_ms", lambda: at_ms)
    given = {n: r for n, r in month.resources().items() if n != "providers"}
    with dg.build_sensor_context(resources=given) as context:
        said = automation.month_end(context)
    if isinstance(said, dg.SkipReason):
        return said.skip_message or ""
    assert isinstance(said, dg.RunRequest)
    return said


@pytest.mark.parametrize(
    ("now", "month"),
    [("11-01 00:00", "2026-10"), ("11-30 23:59:59", "2026-10"), ("01-01", "2025-12")],
)
def test_the_month_to_close_is_the_one_before_this(now: str, month: str) -> None:
    assert month_before(at(now)) == month


@pytest.mark.parametrize(
    ("grace", "now", "asks"),
    [
        ("PT0S", "11-01 00:04:59", False),
        ("PT0S", "11-01 00:05", True),
        ("PT1H", "11-01 00:59:59", False),
        ("PT1H", "11-01 01:00", True),
        ("PT1H", "11-20", True),
    ],
)
def test_it_asks_from_five_past_midnight_or_when_the_grace_is_over(
    month: Month, monkeypatch: pytest.MonkeyPatch, grace: str, now: str, *, asks: bool
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_CLOSE_GRACE", grace)
    said = tick(month, monkeypatch, at(now))
    assert isinstance(said, dg.RunRequest) is asks
    if isinstance(said, str):
        assert said.startswith("2026-10 may be closed from")


def test_it_says_how_far_landing_and_counters_are_behind(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    month.log.landing = Vector({(1, 0): 4})
    assert "landing: partition 0: 6 records behind" in str(tick(month, monkeypatch, at("11-02")))
    month.log.landing = month.log.end
    month.warehouse.counters_at = Vector({(1, 0): 9})
    assert "counters: partition 0: 1 record behind" in str(tick(month, monkeypatch, at("11-02")))


def test_it_requests_one_run_of_a_month_and_none_once_opened(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (tick(month, monkeypatch, at("11-02")) for _ in range(2))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key == "close 2026-10"
    assert first.partition_key == "2026-10"
    month.run(*CLOSE)
    assert str(tick(month, monkeypatch, at("11-02"))).startswith("2026-10 was opened")


@pytest.mark.parametrize(
    ("closing", "reconciled", "now", "said"),
    [
        (None, False, "11-02", "no reconciled drafts"),
        (OPENED, False, "11-02", "no reconciled drafts"),
        (OPENED, True, "11-02", "may be looked at until 2026-11-03T01:05:00Z"),
        (OPENED, True, "11-03 01:05", None),
        (replace(OPENED, state=ClosingState.CLOSED), True, "11-04", "is closed"),
    ],
)
def test_drafts_are_finalized_when_their_time_for_review_is_over(
    closing: Closing | None, reconciled: bool, now: str, said: str | None
) -> None:
    asked = request_finalize(MONTH, closing, at(now), 2 * DAY_MS, is_reconciled=reconciled)
    if said is None:
        assert isinstance(asked, dg.RunRequest)
        assert (asked.run_key, asked.partition_key) == ("finalize 2026-10", "2026-10")
    else:
        assert isinstance(asked, dg.SkipReason)
        assert said in (asked.skip_message or "")


def test_sensors_run_by_themselves_in_production_only() -> None:
    assert automation.month_end.default_status is dg.DefaultSensorStatus.STOPPED
    assert automation.drafts_due.default_status is dg.DefaultSensorStatus.STOPPED
