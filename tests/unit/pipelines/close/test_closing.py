"""A whole month closed on fakes: to the cent, run twice, killed anywhere, held where it differs."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pipelines.close import closing, opening
from pipelines.close.closing import StepReport
from schemas.closing import ClosingState
from schemas.errors import (
    NotFound,
    PeriodNotComplete,
    PeriodNotOver,
    ReconciliationFailed,
)
from schemas.invoice import InvoiceState
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.fakes import FakeLedger, Killed

MONTH = "2026-10"
HOUR_MS = 3_600_000
K = 1_000


def used(tenant: str, when: str, tokens: int, offset: int, *, counted: bool = True) -> list[Used]:
    """An event of whole tokens, all of them input: it feeds two meters."""
    return [
        Used(tenant, meter, at(when), units(tokens), 0, offset, counted)
        for meter in ("tokens", "input_tokens")
    ]


@dataclass
class World:
    """Three tenants with a plan and one without, their usage in October and after, and a clock."""

    ledger: FakeLedger = field(
        default_factory=lambda: FakeLedger(
            {1: llm_tokens()},
            [
                a_subscription("pro 09-01, enterprise 10-11", "upgrade"),
                a_subscription("free 09-01, pro 10-16", "design"),
                a_subscription("free 10-31", "idle", currency="CNY"),
                a_subscription("pro 11-01", "later"),
            ],
        )
    )
    warehouse: FakeWarehouse = field(
        default_factory=lambda: FakeWarehouse(
            [
                *used("design", "10-15 23:59:59", 60 * K, 0),
                *used("design", "10-16", 700 * K, 1),
                *used("upgrade", "10-20", 6_000 * K, 2),
                *used("stranger", "10-20", 7, 3),
                *used("upgrade", "11-01", 900 * K, 4),
                *used("design", "10-31 23:59:59", 50 * K, 9),  # beyond the cut
            ],
            Vector({(1, 0): 5}),
        )
    )
    log: FakeLog = field(default_factory=lambda: FakeLog(Vector({(1, 0): 5}), Vector({(1, 0): 5})))
    now_ms: int = at("11-01 01:00")
    max_held: float = 0.01

    def clock(self) -> int:
        return self.now_ms

    def open(self, without_counters: str | None = None) -> None:
        opening.open_closing(
            MONTH,
            self.ledger,
            self.log,
            self.warehouse,
            self.clock,
            code_version="1",
            grace_ms=HOUR_MS,
            without_counters=without_counters,
        )

    def close(self, without_counters: str | None = None) -> list[StepReport]:
        self.open(without_counters)
        return [
            closing.aggregate_usage(MONTH, self.ledger, self.warehouse),
            closing.rate_charges(MONTH, self.ledger),
            closing.prorate_fees(MONTH, self.ledger),
            closing.draft_invoices(MONTH, self.ledger),
            closing.reconcile(MONTH, self.ledger, self.warehouse, self.log, max_held=self.max_held),
            closing.finalize(MONTH, self.ledger, self.clock, seller="seller"),
        ]


def plan_anew(ledger: FakeLedger, *subscribed: Subscription) -> None:
    """Other plans under a month that is being closed: no step looks for them by itself."""
    ledger.subscribed = list(subscribed)
    ledger.replace_billed_segments(MONTH, ledger.segments(BillingPeriod.month(MONTH).reach))


def test_a_month_is_closed_to_the_cent() -> None:
    world = World()
    world.close()
    invoices = world.ledger.invoices(MONTH)
    assert [(i.number, i.tenant, i.currency, i.total_minor, i.state.value) for i in invoices] == [
        ("2026-10-000001", "design", "USD", 2736, "finalized"),
        ("2026-10-000002", "idle", "CNY", 0, "paid"),
        ("2026-10-000003", "upgrade", "USD", 15161, "finalized"),
    ]
    assert [(line.kind, line.amount_minor) for line in invoices[0].lines] == [
        ("base_fee", 0),
        ("proration_credit", 0),
        ("proration_charge", 2580),
        ("included", 0),
        ("included", 0),
        ("overage", 156),
    ]


def test_steps_report_counts_and_totals() -> None:
    aggregated, rated, prorated, drafted, reconciled, finalized = World().close()
    assert aggregated.counts == {"rows": 8, "tenants": 3}
    assert rated.counts == {"lines": 4, "subscriptions": 2}
    assert prorated.totals_minor == {"CNY": 0, "USD": 2580 + 15161}
    assert drafted.counts == {"subscriptions": 3, "finalized_left_alone": 0}
    assert drafted.totals_minor == {"CNY": 0, "USD": 2736 + 15161}
    assert reconciled.counts == {"compared": 7, "differing_tenants": 0, "held": 0}
    assert finalized.counts == {"finalized": 3, "held": 0}
    assert finalized.totals_minor == {"CNY": 0, "USD": 2736 + 15161}


def test_the_three_figures_agree_and_what_is_unpriced_is_told() -> None:
    world = World()
    world.close()
    rows = {(r.tenant, r.meter): r for r in world.ledger.compared(MONTH)}
    design = rows["design", "tokens"]
    assert design.counter_micro == design.warehouse_micro == design.billed_micro == units(760 * K)
    assert rows["stranger", "tokens"].unpriced_micro == units(7)
    assert rows["design", "input_tokens"].unpriced_micro == units(760 * K)
    assert rows["idle", "tokens"].held is None


def test_running_a_closed_month_again_changes_nothing_and_says_so() -> None:
    world = World()
    world.close()
    before, writes = world.ledger.contents(), list(world.ledger.writes)
    world.warehouse.events += used("design", "10-20", 5 * K, 4)
    world.now_ms += HOUR_MS
    reports = world.close()
    assert world.ledger.contents() == before
    assert world.ledger.writes == writes
    assert not any(report.written for report in reports)
    assert reports[-1].counts == {"finalized": 3, "held": 0}


def test_an_open_month_keeps_its_cut_and_makes_the_same_documents_again() -> None:
    world = World()
    world.open()
    once = _until_drafts(world)
    documents = [invoice.document for invoice in world.ledger.invoices(MONTH)]
    world.log.end = world.log.landing = world.warehouse.counters_at = Vector({(1, 0): 10})
    world.open()
    assert _until_drafts(world) == once
    assert [invoice.document for invoice in world.ledger.invoices(MONTH)] == documents


def _until_drafts(world: World) -> list[StepReport]:
    return [
        closing.aggregate_usage(MONTH, world.ledger, world.warehouse),
        closing.rate_charges(MONTH, world.ledger),
        closing.prorate_fees(MONTH, world.ledger),
        closing.draft_invoices(MONTH, world.ledger),
    ]


def _writes_of_a_close() -> int:
    world = World()
    world.close()
    return len(world.ledger.writes)


@pytest.mark.parametrize("write", range(1, _writes_of_a_close() + 1))
def test_killed_at_any_write_and_run_again_the_ledger_is_the_same(write: int) -> None:
    undisturbed, world = World(), World()
    undisturbed.close()
    world.ledger.dies_at = write
    with pytest.raises(Killed):
        world.close()
    assert all(i.state is InvoiceState.DRAFT for i in world.ledger.invoices())
    world.ledger.dies_at = None
    world.close()
    assert world.ledger.contents() == undisturbed.ledger.contents()


@pytest.mark.parametrize("write", range(1, _writes_of_a_close() + 1))
def test_killed_at_any_write_only_a_finished_comparison_is_recorded(write: int) -> None:
    world = World()
    world.ledger.dies_at = write
    with pytest.raises(Killed):
        world.close()
    was_compared = (
        world.ledger.writes[-1:] == ["record_reconciliation"] and "hold" in world.ledger.writes
    )
    assert bool(world.ledger.compared(MONTH)) == was_compared


def test_repeats_beyond_the_counters_window_hold_nobody() -> None:
    world = World()
    world.warehouse.repeats = {("design", "tokens"): units(3)}
    assert world.close()[-1].counts == {"finalized": 3, "held": 0}
    [row] = [r for r in world.ledger.compared(MONTH) if r.beyond_window_micro]
    assert (row.tenant, row.counter_micro) == ("design", units(760 * K + 3))


def test_usage_after_the_cut_is_not_billed_though_counters_went_on() -> None:
    world = World()
    world.open()
    world.warehouse.counters_at = world.log.landing = Vector({(1, 0): 10})
    world.close()
    assert world.ledger.invoices(MONTH, tenant="design")[0].total_minor == 2736
    rows = {(r.tenant, r.meter): r for r in world.ledger.compared(MONTH)}
    assert rows["design", "tokens"].counter_micro == units(760 * K)


def test_counters_that_landing_has_not_reached_stop_the_close() -> None:
    world = World()
    world.open()
    world.warehouse.counters_at = Vector({(1, 0): 10})
    with pytest.raises(PeriodNotComplete, match="partition 0: 5 records behind the counters"):
        world.close()
    assert world.ledger.compared(MONTH) == []


def test_new_drafts_are_not_finalized_by_an_old_comparison() -> None:
    world = World()
    world.open()
    _until_drafts(world)
    closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=0)
    closing.draft_invoices(MONTH, world.ledger)
    with pytest.raises(ReconciliationFailed, match="not reconciled"):
        closing.finalize(MONTH, world.ledger, world.clock, seller="seller")


def test_a_comparison_that_fails_drops_the_one_before() -> None:
    world = World()
    world.open()
    _until_drafts(world)
    closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=0)
    plan_anew(world.ledger, *world.ledger.subscribed, a_subscription("pro 09-01", "new"))
    with pytest.raises(ReconciliationFailed, match="there is no invoice"):
        closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=0)
    with pytest.raises(ReconciliationFailed, match="not reconciled"):
        closing.finalize(MONTH, world.ledger, world.clock, seller="seller")


def test_a_missing_invoice_stops_the_run() -> None:
    world = World()
    world.open()
    _until_drafts(world)
    plan_anew(world.ledger, *world.ledger.subscribed, a_subscription("pro 09-01", "new"))
    with pytest.raises(ReconciliationFailed, match="sub_new: there is no invoice"):
        closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=1)


def test_lines_that_are_not_the_invoices_lines_stop_the_run() -> None:
    world = World()
    world.open()
    _until_drafts(world)
    changed = a_subscription("pro 09-01, enterprise 10-12", "upgrade")
    plan_anew(world.ledger, changed, *world.ledger.subscribed[1:])
    closing.prorate_fees(MONTH, world.ledger)
    with pytest.raises(ReconciliationFailed, match="USD: invoices add up to"):
        closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=1)


def test_without_counters_the_reason_is_recorded_and_nothing_is_compared_with_them() -> None:
    world = World()
    world.warehouse.counters_at = Vector()
    world.close(without_counters="the counters' disk is lost")
    assert world.ledger.closings[MONTH].without_counters == "the counters' disk is lost"
    assert all(row.counter_micro is None for row in world.ledger.compared(MONTH))


def test_an_open_month_may_go_on_without_counters_at_the_same_cut() -> None:
    world = World()
    world.open()
    world.log.end = world.log.landing = Vector({(1, 0): 10})
    world.open(without_counters="the counters' disk is lost")
    kept = world.ledger.closings[MONTH]
    assert kept.vector == Vector({(1, 0): 5})
    assert kept.without_counters == "the counters' disk is lost"


def test_a_month_is_not_closed_before_it_and_its_grace_are_over() -> None:
    world = World(now_ms=at("11-01 00:59:59"))
    with pytest.raises(PeriodNotOver, match="from 2026-11-01T01:00:00Z on"):
        world.close()
    assert world.ledger.writes == []


def test_a_month_is_not_closed_while_counters_lag() -> None:
    world = World()
    world.warehouse.counters_at = Vector({(1, 0): 4})
    with pytest.raises(PeriodNotComplete, match="counters: partition 0: 1 record behind"):
        world.close()
    assert world.ledger.writes == ["save_closing"]  # the ends are remembered


STEPS: list[Callable[[World], object]] = [
    lambda w: closing.aggregate_usage(MONTH, w.ledger, w.warehouse),
    lambda w: closing.rate_charges(MONTH, w.ledger),
    lambda w: closing.prorate_fees(MONTH, w.ledger),
    lambda w: closing.draft_invoices(MONTH, w.ledger),
    lambda w: closing.reconcile(MONTH, w.ledger, w.warehouse, w.log, max_held=1),
    lambda w: closing.finalize(MONTH, w.ledger, w.clock, seller="seller"),
]


@pytest.mark.parametrize("step", STEPS)
def test_no_step_runs_before_the_month_is_opened(step: Callable[[World], object]) -> None:
    with pytest.raises(NotFound, match="run `countinghouse close 2026-10`"):
        step(World())


def test_a_month_without_subscriptions_closes_with_no_invoice() -> None:
    world = World()
    world.ledger.subscribed = []
    assert world.close()[-1].counts == {"finalized": 0, "held": 0}
    assert world.ledger.closings[MONTH].state is ClosingState.CLOSED


def test_the_document_is_canonical_json_of_what_must_not_change() -> None:
    world = World()
    world.close()
    [invoice] = world.ledger.invoices(MONTH, tenant="design")
    document = json.loads(invoice.document)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert invoice.document == canonical.encode()
    assert document["vector"] == {"1/0": 5}
    assert document["total_minor"] == 2736
    assert document["period"] == {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
    assert document["lines"][-1] == {
        "kind": "overage",
        "plan": "pro",
        "meter": "tokens",
        "quantity": "195483.870968",
        "unit_price": "0.000008",
        "amount_minor": 156,
        "period": {"start": "2026-10-16T00:00:00Z", "end": "2026-11-01T00:00:00Z"},
    }
