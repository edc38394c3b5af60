"""Usage by day is kept for the running month and the one before."""

from datetime import UTC, datetime

from dagster_project.by_day import requests


def test_every_hour_asks_for_the_running_month_and_the_one_before() -> None:
    asked = requests(datetime(2027, 1, 1, 0, 20, tzinfo=UTC))
    assert [request.partition_key for request in asked] == ["2027-01", "2026-12"]
    assert [request.run_key for request in asked] == [
        "by day 2027-01 2027-01-01T00",
        "by day 2026-12 2027-01-01T00",
    ]
