"""`invoices explain` and `page`: corrections with their events, and what no longer adds up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from countinghouse.settings import Settings
from schemas.errors import InvalidInput, NotFound
from schemas.vector import Vector
from tests.builders import a_subscription, at, units
from tests.fake_events import FakeEvents
from tests.fake_warehouse import FakeWarehouse, Used
from tests.unit.countinghouse.commands import invoke, run, run_json
from tests.unit.countinghouse.test_correction_commands import DESIGN
from tests.unit.dagster_project.months import MONTH, Month, a_month, close_bare

NOVEMBER = "2026-11-000001"


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    """October, and November with 100,000 late tokens of design; the warehouse in memory."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = a_month(tmp_path)
    close_bare(found, MONTH)
    late = Used("design", "tokens", at("10-30"), units(100_000), offset=10)
    found.warehouse.events.append(late)
    found.log.end = found.log.landing = found.warehouse.counters_at = Vector({(1, 0): 11})
    close_bare(found, "2026-11")

    @contextmanager
    def usage(settings: Settings) -> Iterator[FakeWarehouse]:
        yield found.warehouse

    @contextmanager
    def events(settings: Settings) -> Iterator[FakeEvents]:
        yield FakeEvents(found.warehouse.events)

    monkeypatch.setattr("countinghouse.wiring.usage_reader", usage)
    monkeypatch.setattr("countinghouse.wiring.event_reader", events)
    return found


def correction(month: Month) -> int:
    """The place of November's correction."""
    lines = month.ledger.invoice(NOVEMBER).lines
    return next(place for place, line in enumerate(lines, 1) if line.kind == "correction")


def test_a_correction_is_explained_down_to_its_events(month: Month, tmp_path: Path) -> None:
    place = str(correction(month))
    told = run("invoices", "explain", NOVEMBER, place)
    assert "difference: 100,000 tokens, 0.80\n" in told
    assert "1 late event, together 100,000\nwhich is the line's quantity\n" in told
    listed = run("invoices", "explain", NOVEMBER, place, "--events").splitlines()
    assert len(listed) == 2
    assert "2026-10-30T00:00:00Z" in listed[1]
    file = tmp_path / "events.parquet"
    run("invoices", "explain", NOVEMBER, place, "--parquet", str(file))
    assert pq.read_table(file)["quantity_micro"].to_pylist() == [units(100_000)]


def test_the_page_of_a_correction_has_them_as_well(month: Month, tmp_path: Path) -> None:
    run("invoices", "page", NOVEMBER, "--into", str(tmp_path))
    page = (tmp_path / f"{NOVEMBER}.html").read_text()
    assert "difference: 100,000 tokens, 0.80" in page
    assert "1 late event, together 100,000" in page


def test_events_that_are_gone_are_said_first_and_are_an_error(month: Month) -> None:
    place = correction(month)
    events = month.warehouse.events
    events[-1] = replace(events[-1], quantity_micro=units(99_999))
    for arguments in ((NOVEMBER,), (NOVEMBER, str(place))):
        result = invoke("invoices", "explain", *arguments)
        assert result.exit_code == 1
        first = f"line {place}: its events add up to 99,999, BUT THE LINE SAYS 100,000"
        assert result.stdout.startswith(first)
        assert "`countinghouse verify 2026-11`" in result.stdout


def test_a_script_gets_numbers_and_whether_all_agrees(month: Month) -> None:
    told = run_json("invoices", "explain", NOVEMBER)
    assert told["agrees"] is True
    assert told["price_version"].startswith("price list version 1, SHA-256 ")
    [row] = told["events"]
    assert (row["line"], row["events"], row["quantity"]) == (correction(month), 1, "100000")
    assert row["agrees"] is True
    del month.warehouse.events[-1]
    result = invoke("invoices", "explain", NOVEMBER, "--json")
    assert result.exit_code == 1
    assert '"agrees": false' in result.stdout


def test_the_whole_invoice_names_the_price_list_too(month: Month) -> None:
    assert "price list version 1, SHA-256 " in run("invoices", "explain", DESIGN)


def test_what_was_billed_by_other_plans_than_those_of_now_is_no_difference(month: Month) -> None:
    changed = [a_subscription("pro 11-01", "design")]
    month.ledger.save_subscriptions(changed, at("12-05"), "ada", in_closed_months=True)
    assert "every line agrees" in run("invoices", "explain", DESIGN)


def test_a_line_without_events_says_what_it_follows_from(month: Month) -> None:
    with pytest.raises(NotFound, match="base_fee, which comes from no events"):
        run("invoices", "explain", NOVEMBER, "1", "--events")
    with pytest.raises(InvalidInput, match="lines 1 to 2, not 9"):
        run("invoices", "explain", NOVEMBER, "9", "--events")


def test_a_file_that_cannot_be_written_is_told(month: Month) -> None:
    where = ("--parquet", "none/events.parquet")
    with pytest.raises(InvalidInput, match=r"none/events\.parquet cannot be written: No such"):
        run("invoices", "explain", NOVEMBER, str(correction(month)), *where)
