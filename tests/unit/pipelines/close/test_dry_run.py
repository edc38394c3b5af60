"""The whole close without writing: the same totals as the close, its checks, and nothing kept."""

from dataclasses import replace

import pytest

from pipelines.close.dry_run import DryRun, Terms, dry_run
from schemas.errors import Conflict, PeriodNotOver
from schemas.vector import Vector
from tests.builders import a_subscription
from tests.unit.pipelines.close.test_closing import HOUR_MS, MONTH, World, used
from tests.unit.pipelines.close.test_closing_adjusted import Adjusted

TERMS = Terms(HOUR_MS, max_held=1)


def run(world: World, terms: Terms = TERMS) -> DryRun:
    found = dry_run(MONTH, world.ledger, world.log, world.warehouse, world.now_ms, terms)
    assert world.ledger.writes == []
    return found


def outcomes(found: DryRun) -> dict[str, str]:
    return {check.name: check.outcome for check in found.checks}


@pytest.mark.parametrize("make", [World, Adjusted])
def test_its_totals_are_those_of_the_close(make: type[World]) -> None:
    world = make()
    found = run(world)
    world.close()
    invoices = world.ledger.invoices(MONTH)
    assert found.totals == {(i.tenant, i.currency): i.total_minor for i in invoices}
    closing = world.ledger.closings[MONTH]
    assert (found.invoices, found.vector) == (len(invoices), closing.vector)


def test_a_month_whose_figures_agree_passes_and_tells_what_is_worth_a_look() -> None:
    found = run(World())
    assert found.outcome == "explained"
    assert outcomes(found) == {
        "complete": "passed",
        "counters, warehouse and invoices agree": "passed",
        "no surprising change": "passed",
        "all usage is priced": "explained",
        "every item is billed": "passed",
        "no invoice is below zero": "passed",
    }
    assert [check.findings for check in found.checks if check.findings] == [
        ("stranger: 7 tokens without a plan",)
    ]
    assert [check.said for check in found.checks if check.said] == [
        "there is no closed month before to compare totals with",
        "usage without a plan: 1",
    ]


def test_what_has_not_landed_is_a_failed_check_and_the_rest_is_shown() -> None:
    world = World()
    world.log.end = Vector({(1, 0): 9})
    found = run(world)
    assert (found.outcome, found.vector) == ("failed", Vector({(1, 0): 5}))
    [finding] = found.checks[0].findings
    assert finding.startswith("landing: partition 0: 4 records behind; try again")
    assert found.totals["design", "USD"] == 2736


def test_a_tenant_whose_counter_differs_is_held() -> None:
    world = World()
    world.warehouse.events += used("design", "10-20", 5, 4, counted=False)
    found = run(world)
    assert found.outcome == "held"
    [finding] = found.checks[1].findings
    assert finding.startswith("design: ")
    assert run(world, replace(TERMS, max_held=0)).outcome == "failed"
    assert run(world, replace(TERMS, without_counters="they were rebuilt")).outcome == "explained"


def test_drafts_that_are_there_keep_their_cut() -> None:
    world = World()
    world.open()
    world.ledger.writes.clear()
    world.log.end = world.log.landing = Vector({(1, 0): 10})
    assert run(world).vector == Vector({(1, 0): 5})


def test_a_closed_month_and_one_that_is_not_over_are_refused() -> None:
    world = World()
    with pytest.raises(PeriodNotOver):
        dry_run("2026-11", world.ledger, world.log, world.warehouse, world.now_ms, TERMS)
    world.close()
    with pytest.raises(Conflict, match="2026-10 is closed, a run would change nothing"):
        dry_run(MONTH, world.ledger, world.log, world.warehouse, world.now_ms, TERMS)


def test_the_month_before_stands_beside_it() -> None:
    world = World()
    assert run(world).last_month is None
    world.ledger.subscribed = [a_subscription("pro 09-01", "design")]
    world.close()
    following = dry_run(
        "2026-11", world.ledger, world.log, world.warehouse, world.now_ms + 40 * 86_400_000, TERMS
    )
    assert following.last_month == {("design", "USD"): 4999}
    assert following.totals == {("design", "USD"): 4999}
