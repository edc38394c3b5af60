"""Usage that came after its month was closed: told with what it changes, asked for once."""

from pathlib import Path

import dagster as dg
import pytest

from dagster_project import late
from pipelines.catalog import catalog_file
from schemas.vector import Vector
from tests.builders import at, llm_tokens, units
from tests.fake_warehouse import Used
from tests.plan_lives import a_life
from tests.unit.dagster_project.months import (
    MONTH,
    Month,
    a_month,
    an_empty_month,
    close_bare,
    metadata_of,
)


@pytest.fixture
def month(tmp_path: Path) -> Month:
    """October, closed."""
    month = a_month(tmp_path)
    close_bare(month, MONTH)
    return month


def comes_late(month: Month, tokens: int, offset: int, *meters: str) -> None:
    """An event of October that lies beyond the cut, and is landed."""
    month.warehouse.events = [
        *month.warehouse.events,
        *(
            Used("design", meter, at("10-30"), units(tokens), offset=offset)
            for meter in meters or ("tokens",)
        ),
    ]
    month.log.end = month.log.landing = Vector({(1, 0): offset + 1})


def tick(month: Month) -> list[str | None] | str:
    """The run keys that the sensor asks for, or why it asks for none."""
    given = {n: r for n, r in month.resources().items() if n != "providers"}
    with dg.build_sensor_context(resources=given) as context:
        said = late.usage_came_late(context)
    if isinstance(said, dg.SkipReason):
        return said.skip_message or ""
    assert isinstance(said, list)
    return [request.run_key for request in said]


def test_each_further_late_batch_is_looked_at_once(month: Month) -> None:
    assert tick(month) == "nothing has come late: 2026-10"
    comes_late(month, 100_000, offset=10)
    assert tick(month) == ["late 2026-10 1"]
    comes_late(month, 100_000, offset=11)
    assert tick(month) == ["late 2026-10 2"]


def test_an_event_that_several_meters_read_is_one_event(month: Month) -> None:
    comes_late(month, 100_000, 10, "tokens", "input_tokens")
    assert tick(month) == ["late 2026-10 1"]
    assert metadata_of(month.run("late_usage"), "late_usage")["events"] == 1


def test_who_used_what_after_the_cut_is_told_with_what_it_changes(month: Month) -> None:
    comes_late(month, 100_000, offset=10)
    shown = metadata_of(month.run("late_usage"), "late_usage")
    assert (shown["tenants"], shown["events"]) == (1, 1)
    [row] = (record.data for record in shown["late usage"].records)
    assert (row["tenant"], row["meter"], row["quantity"]) == ("design", "tokens", "100,000")
    [owed] = (record.data for record in shown["to be corrected"].records)
    assert owed == {"tenant": "design", "invoice": "2026-10-000001", "difference": "USD 0.80"}
    assert shown["total_usd_minor"] == 80


@pytest.mark.parametrize(
    ("when", "asked", "tenants"),
    [
        ("09-20", ["late 2026-10 1"], 1),
        ("10-20", "nothing has come late: 2026-10", 0),  # of November's invoice
    ],
)
def test_who_is_billed_by_the_anniversary_has_late_usage_of_that_period(
    tmp_path: Path, when: str, asked: list[str] | str, tenants: int
) -> None:
    month = an_empty_month(tmp_path)
    yearly = llm_tokens().model_copy(update={"anniversary_billing": True})
    month.ledger.apply_catalog(catalog_file.canonical(yearly), 0)
    month.ledger.save_subscriptions([a_life("pro 09-16", 16)], 0, "test")
    month.warehouse.events = []
    close_bare(month, MONTH)
    month.warehouse.events = [Used("acme", "tokens", at(when), units(2_000_000), offset=10)]
    month.log.end = month.log.landing = Vector({(1, 0): 11})
    assert tick(month) == asked
    shown = metadata_of(month.run("late_usage"), "late_usage")
    assert shown["tenants"] == tenants == len(getattr(shown["to be corrected"], "records", ()))


def test_a_month_without_late_usage_says_so(month: Month) -> None:
    shown = metadata_of(month.run("late_usage"), "late_usage")
    assert (shown["late usage"], shown["to be corrected"]) == ("none", "none")
