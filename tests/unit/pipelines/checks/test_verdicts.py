"""The verdict of each check of a close, as a bundle tells it: what was found is in it."""

from dataclasses import replace

from pipelines.bundle.bundle import make_bundle
from pipelines.checks.verdicts import verdicts
from pipelines.close import closing
from pipelines.invoices.books import Books
from schemas.bundle import Verdict
from schemas.repeats import RepeatedIds
from tests.builders import units
from tests.bundles import NoEvents
from tests.unit.pipelines.close.test_closing import MONTH, World

AGAIN = RepeatedIds("design", "2026-11", 2, "gateway", "x1")


def told(world: World, *repeated: RepeatedIds) -> dict[str, Verdict]:
    return dict(verdicts(Books(MONTH, world.ledger), repeated))


def test_a_month_without_strangers_passes_all() -> None:
    world = World()
    world.warehouse.events = [e for e in world.warehouse.events if e.tenant != "stranger"]
    world.close()
    assert {name: it.findings for name, it in told(world).items() if not it.passed} == {}
    assert {it.severity for it in told(world).values()} == {"gate", "warning"}


def test_what_is_worth_a_look_is_told() -> None:
    world = World()
    world.close()
    found = told(world, AGAIN)
    assert found["usage_has_a_subscription"].findings[-1] == "stranger: 7 tokens, no subscription"
    assert found["ids_stay_in_one_month"] == Verdict(
        "warning", False, ("design: 2 ids of 2026-10 came in 2026-11 too, like gateway x1",)
    )


def test_a_counter_that_differed_is_told_of_a_closed_month() -> None:
    world = World(max_held=0.5)
    world.warehouse.events = [
        replace(e, counted=(e.tenant, e.meter, e.offset) != ("design", "tokens", 1))
        for e in world.warehouse.events
    ]
    world.close()
    [finding] = told(world)["counters_match_warehouse"].findings
    assert finding == (
        "design, tokens: the counter says 60000, the warehouse 760000 and 0 in late repeats"
    )
    assert not told(world)["three_figures_agree"].passed


def test_repeats_that_explain_a_counter_are_no_finding() -> None:
    world = World()
    world.warehouse.repeats = {("design", "tokens"): units(3)}
    world.close()
    assert told(world)["counters_match_warehouse"].passed


def test_counters_that_were_left_out_are_told_with_the_reason() -> None:
    world = World()
    world.close("they were lost")
    assert told(world)["counters_match_warehouse"] == Verdict(
        "gate", False, ("counters were not compared: they were lost",)
    )


def test_drafts_that_were_not_compared_say_so() -> None:
    world = World()
    world.open()
    closing.aggregate_usage(MONTH, world.ledger, world.warehouse)
    closing.rate_charges(MONTH, world.ledger)
    closing.prorate_fees(MONTH, world.ledger)
    closing.draft_invoices(MONTH, world.ledger)
    found = told(world)
    assert found["lines_sum_to_totals"].passed
    reason = "2026-10: nothing was compared yet; run `countinghouse close 2026-10`"
    assert found["counters_match_warehouse"] == Verdict("gate", None, (reason,))


def test_the_manifest_holds_each() -> None:
    world = World()
    world.close()
    content = make_bundle(MONTH, world.ledger, NoEvents()).content({}, "a writer")
    assert list(content["checks"]) == list(told(world))
    assert content["checks"]["period_is_complete"] == {
        "severity": "gate",
        "passed": True,
        "findings": (),
    }
    assert content["format"] == 2
