"""What happens by itself, and when: the month's end."""

from itertools import islice
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from dagster_project import automation, finalizing
from schemas.period import from_ms
from schemas.vector import Vector
from tests.builders import at
from tests.unit.dagster_project.months import CLOSE, MONTH, Month, a_month


@pytest.fixture
def month(tmp_path: Path) -> Month:
    return a_month(tmp_path)


def tick(
    month: Month,
    monkeypatch: pytest.MonkeyPatch,
    at_ms: int,
    instance: dg.DagsterInstance | None = None,
) -> dg.RunRequest | str:
    """What the schedule says at an instant."""
    monkeypatch.setattr(automation, "now_ms", lambda: at_ms)
    given = {n: r for n, r in month.resources().items() if n != "providers"}
    runs = instance or dg.DagsterInstance.ephemeral()
    said = automation.ask(MONTH, runs, **given)
    if isinstance(said, dg.SkipReason):
        return said.skip_message or ""
    assert isinstance(said, dg.RunRequest)
    return said


def ticks(after: str, count: int) -> list[str]:
    """The schedule's next ticks."""
    iterator = schedule_execution_time_iterator(
        at(after) // 1000, automation.month_end.cron_schedule, "UTC"
    )
    return [f"{tick:%m-%d %H:%M}" for tick in islice(iterator, count)]


def test_it_is_asked_at_five_past_midnight_then_every_five_minutes_then_every_hour() -> None:
    assert ticks("10-31 23:01", 2) == ["11-01 00:05", "11-01 00:10"]
    assert ticks("11-01 05:58", 2) == ["11-01 06:00", "11-01 06:05"]
    assert ticks("11-01 23:56", 2) == ["11-02 00:00", "11-02 01:00"]


@pytest.mark.parametrize(
    ("scheduled", "month"),
    [("11-01 00:05", "2026-10"), ("11-30 23:00", "2026-10"), ("01-01 00:05", "2025-12")],
)
def test_a_tick_closes_the_month_before_it_however_late_it_comes(
    scheduled: str, month: str
) -> None:
    assert automation.month_of_tick(from_ms(at(scheduled))) == month


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
    asked = tick(month, monkeypatch, at("11-02"))
    assert isinstance(asked, dg.RunRequest)
    assert (asked.run_key, asked.partition_key) == ("close 2026-10", "2026-10")
    month.run(*CLOSE)
    assert str(tick(month, monkeypatch, at("11-02"))).startswith("2026-10 was opened")


def test_only_what_is_approved_gets_a_number_where_approval_is_asked_for(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_APPROVAL", "true")
    month.run(*CLOSE)
    assert month.ledger.approve(MONTH, ["upgrade"], "eve", "looked at it") == 1
    assert month.ledger.unapproved(MONTH) == 1
    assert month.run("finalized_invoices").success
    numbers = {it.tenant: it.number for it in month.ledger.invoices(MONTH)}
    assert numbers == {"design": None, "upgrade": "2026-10-000001"}


@pytest.mark.parametrize(
    ("ended", "reason", "said"),
    [
        ([], "", None),
        ([dg.DagsterRunStatus.NOT_STARTED], "backfill", "has not ended yet"),
        ([dg.DagsterRunStatus.STARTED], "command line", "has not ended yet"),
        ([dg.DagsterRunStatus.FAILURE] * 2, "schedule", None),
        ([dg.DagsterRunStatus.FAILURE] * 3, "schedule", "3 runs of 2026-10 have failed"),
        ([dg.DagsterRunStatus.FAILURE] * 4, "support", None),
    ],
)
def test_it_requests_nothing_beside_a_run_of_the_month_or_after_three_that_failed(
    month: Month,
    monkeypatch: pytest.MonkeyPatch,
    ended: list[dg.DagsterRunStatus],
    reason: str,
    said: str | None,
) -> None:
    instance = dg.DagsterInstance.ephemeral()
    tags = {"dagster/partition": MONTH, "billing/reason": reason}
    for place, status in enumerate(ended):
        instance.add_run(dg.DagsterRun("close_month", f"run-{place}", status=status, tags=tags))
    answer = tick(month, monkeypatch, at("11-02"), instance)
    if said is None:
        assert isinstance(answer, dg.RunRequest)
    else:
        assert said in str(answer)


def test_schedule_and_sensors_run_by_themselves_in_production_only() -> None:
    assert automation.month_end.default_status is dg.DefaultScheduleStatus.STOPPED
    assert finalizing.drafts_due.default_status is dg.DefaultSensorStatus.STOPPED
