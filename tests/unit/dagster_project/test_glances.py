"""What a billing person sees of a month: sums, movers, what is held, what nobody is billed for."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dagster_project import charts, glances, unbilled
from schemas.money import Money
from tests.builders import a_subscription, at, units
from tests.fake_warehouse import Used
from tests.unit.dagster_project.months import MONTH, Month, a_month, close_bare

BEFORE = "2026-09"


@pytest.fixture
def month(tmp_path: Path) -> Month:
    """September and October, closed; a stranger used 100 tokens in October."""
    month = a_month(tmp_path)
    own = month.warehouse.events
    september = Used("upgrade", "tokens", at("09-20"), units(2_000), offset=3)
    stranger = Used("stranger", "tokens", at("10-05"), units(100), offset=4)
    month.warehouse.events = [*own, september, stranger]
    close_bare(month, BEFORE)
    return month


def rows(value: Any) -> list[dict[str, Any]]:
    """A table's rows, or none where a word says so."""
    return [] if value.value == "none" else [dict(record.data) for record in value.records]


def test_a_month_is_told_in_a_sentence_and_beside_the_month_before(month: Month) -> None:
    close_bare(month, MONTH)
    shown = glances.of_invoices(month.ledger, MONTH)
    assert shown["at a glance"].value == (
        "2 invoices for 2026-10: **USD 178.97** (+258.0 % on 2026-09)"
    )
    assert rows(shown["by currency"]) == [
        {
            "currency": "USD",
            "invoices": "2",
            "total": "USD 178.97",
            "2026-09 invoices": "2",
            "2026-09 total": "USD 49.99",
            "change": "+258.0 %",
        }
    ]
    assert rows(shown["largest movers since 2026-09"]) == [
        {"tenant": "upgrade", BEFORE: "USD 49.99", MONTH: "USD 151.61", "change": "+203.3 %"},
        {"tenant": "design", BEFORE: "USD 0.00", MONTH: "USD 27.36", "change": "from 0"},
    ]
    assert [row["change"] for row in rows(shown["USD by month"])] == ["", "+258.0 %"]
    numbers = [row["number"] for row in rows(shown["largest invoices"])]
    assert numbers == ["2026-10-000002", "2026-10-000001"]
    assert glances.of_numbers(month.ledger, MONTH)["numbers"] == "2026-10-000001 to 2026-10-000002"


def test_meters_stand_beside_the_month_before(month: Month) -> None:
    close_bare(month, MONTH)
    [tokens] = rows(glances.of_usage(month.ledger, MONTH)["by meter"])
    assert (tokens["tenants"], tokens["quantity"]) == ("3", "765,100")
    assert tokens["month before"] == "2,000"


def test_usage_that_nobody_is_billed_for_is_told_by_meter_and_tenant(month: Month) -> None:
    unpriced = Used("upgrade", "input_tokens", at("10-05"), units(9_000), offset=5)
    month.warehouse.events.append(unpriced)
    close_bare(month, MONTH)
    shown = unbilled.of_month(month.ledger, MONTH)
    assert rows(shown["unpriced usage"]) == [{"meter": "tokens", "tenants": "1", "quantity": "100"}]
    assert rows(shown["unpriced, who most"]) == [
        {"tenant": "stranger", "meter": "tokens", "quantity": "100", "why": "no subscription"}
    ]
    assert unbilled.of_month(month.ledger, BEFORE)["unpriced usage"].value == "none"


def test_lines_are_told_by_kind_and_plan(month: Month) -> None:
    close_bare(month, MONTH)
    fees = rows(glances.of_lines(month.ledger, MONTH, "prorations")["by kind"])
    assert {"kind": "proration charge", "plan": "enterprise", "meter": "", "lines": "1",
            "quantity": "", "amount": "USD 135.48"} in fees  # fmt: skip


def test_who_is_held_is_told_with_the_reason_and_the_remedy(month: Month) -> None:
    assert glances.of_held(month.ledger, MONTH) == {"held": "none"}
    month.warehouse.events = [
        replace(used, counted=used.tenant != "upgrade") for used in month.warehouse.events
    ]
    close_bare(month, MONTH)
    shown = glances.of_held(month.ledger, MONTH)
    [held] = rows(shown["held"])
    assert held["tenant"] == "upgrade"
    assert "the counter says 0" in held["held because"]
    assert "countinghouse invoices release TENANT 2026-10" in shown["to let one go"].value
    told = glances.of_invoices(month.ledger, MONTH)
    said = "1 invoice for 2026-10: **USD 27.36** (-45.3 % on 2026-09); 1 held of USD 151.61"
    assert told["at a glance"].value == said
    assert rows(told["by currency"])[0]["invoices"] == "1"
    states = rows(glances.of_states(month.ledger, MONTH)["by state"])
    assert [row["state"] for row in states] == ["draft", "finalized"]


def test_new_is_who_had_no_invoice_before(month: Month) -> None:
    month.ledger.save_subscriptions([a_subscription("pro 10-05", "latecomer")], 0, "test")
    close_bare(month, MONTH)
    movers = rows(glances.of_invoices(month.ledger, MONTH)["largest movers since 2026-09"])
    changes = {row["tenant"]: row["change"] for row in movers}
    assert changes == {"upgrade": "+203.3 %", "latecomer": "new", "design": "from 0"}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (100, 112, "+12.0 %"),
        (3, 2, "-33.3 %"),
        (0, 5, "new"),
        (0, 0, "none"),
        (-10, 10, "+200.0 %"),
    ],
)
def test_a_change_is_told_in_per_cent(before: int, now: int, told: str) -> None:
    assert glances.change(before, now) == told


@pytest.mark.parametrize(
    ("micro", "told"), [(units(1_234_567), "1,234,567"), (-1_500_000, "-1.5"), (0, "0")]
)
def test_a_quantity_has_its_thousands_separated(micro: int, told: str) -> None:
    assert glances.quantity(micro) == told


def test_a_plot_of_a_year_is_short_enough_to_be_shown_at_once() -> None:
    year = [(f"2026-{n:02d}", Money(99_999_999_999 - n, "USD")) for n in range(1, 13)]
    plot = charts.months_chart(year)
    assert len(plot) < 1_000
    svg = base64.b64decode(plot.partition("base64,")[2].rstrip(")")).decode()
    assert svg.count("h22V90z") == 12
    assert "2026-01 – 2026-12" in svg


@pytest.mark.parametrize(
    "totals", [[], [("2026-10", Money(0, "USD"))], [("2026-10", Money(-5, "USD"))]]
)
def test_a_plot_of_few_months_or_of_nothing_is_a_plot_too(totals: list[tuple[str, Money]]) -> None:
    assert charts.months_chart(totals).startswith("![by month](data:image/svg+xml;base64,")
