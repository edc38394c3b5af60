"""The whole demo on the real month, against an answer computed from its input files alone."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.quantity import format_micro
from tests.embedded import ROOT
from tests.end_to_end.demo_process import Demo, lasting
from tests.end_to_end.independent import expected_invoices, tokens_by_tenant

pytestmark = pytest.mark.end_to_end

USAGE = ROOT / "examples/data/llm_usage.parquet"
SUBSCRIPTIONS = ROOT / "examples/data/subscriptions.csv"
ROWS = 761_562
LATE = 1
"""Events that the demo sends after the close."""

Run = tuple[dict[str, Any], str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo's home, with nothing of it running at the end."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    yield demo
    demo.command("down")
    demo.kill_all()


@pytest.fixture(scope="module")
def first(demo: Demo) -> Run:
    """The first run."""
    return demo.run()


@pytest.fixture(scope="module")
def second(demo: Demo, first: Run) -> Run:
    """A second run in the same home."""
    return demo.run()


@pytest.mark.timeout(300)
def test_every_element_is_accounted_for(first: Run) -> None:
    events = first[0]["events"]
    assert events["landed"] == ROWS + LATE
    assert events["rejected"] == 7
    assert events["duplicates"] == events["produced"] - ROWS - LATE - 7
    assert 0.019 * ROWS < events["duplicates"] - 100 < 0.021 * ROWS


def test_invoices_equal_an_independent_computation_cent_by_cent(first: Run) -> None:
    expected = expected_invoices(USAGE, SUBSCRIPTIONS)
    invoices = {invoice["tenant"]: invoice for invoice in first[0]["invoices"]}
    assert {tenant: (i["currency"], i["total_minor"]) for tenant, i in invoices.items()} == {
        tenant: (e.currency, e.total_minor) for tenant, e in expected.items()
    }
    for tenant, invoice in invoices.items():
        assert _quantities(invoice, "included", "overage", "not_billed") == (
            expected[tenant].quantity_micro
        )
        assert _quantities(invoice, "overage") == expected[tenant].overage_micro


def test_usage_equals_an_independent_sum_tenant_by_tenant(first: Run) -> None:
    expected = {name: format_micro(micro) for name, micro in tokens_by_tenant(USAGE).items()}
    assert {row["tenant"]: row["quantity"] for row in first[0]["usage"]} == expected


def test_invoice_lines_add_up_and_numbers_have_no_gap(first: Run) -> None:
    invoices = first[0]["invoices"]
    for invoice in invoices:
        assert invoice["total_minor"] == sum(line["amount_minor"] for line in invoice["lines"])
    numbers = sorted(invoice["number"] for invoice in invoices)
    assert numbers == [f"2026-10-{n:06d}" for n in range(1, len(invoices) + 1)]


def test_counter_warehouse_and_invoice_agree_and_repeats_are_explained(first: Run) -> None:
    reconciliation = first[0]["reconciliation"]
    assert reconciliation["differences"] == []
    assert reconciliation["explained"]["repeats_beyond_the_counters_window"] != "0"


def test_each_hard_limit_is_announced_once(first: Run) -> None:
    breaches = first[0]["breaches"]
    facts = Counter((b["tenant"], b["meter"], b["threshold_percent"]) for b in breaches)
    reached = {tenant for tenant, _, _ in facts}
    assert max(facts.values()) <= 2  # a raised limit crossed again is a new fact
    assert len(reached) > 40


def test_tenants_without_a_subscription_are_reported_not_invoiced(first: Run) -> None:
    report = first[0]
    expected = expected_invoices(USAGE, SUBSCRIPTIONS)
    everyone = tokens_by_tenant(USAGE)
    outside = {
        tenant: micro - (expected[tenant].quantity_micro if tenant in expected else 0)
        for tenant, micro in everyone.items()
    }
    assert {row["tenant"]: row["quantity"] for row in report["unpriced"]} == {
        tenant: format_micro(micro) for tenant, micro in outside.items() if micro
    }


def test_an_upgrade_a_scheduled_downgrade_and_a_cancelled_tenant_are_told_and_billed(
    first: Run,
) -> None:
    report = first[0]
    told = {(it["tenant"], it["who"], it["takes_effect"]) for it in report["plan_changes"]}
    assert told >= {
        ("m-small-035", "demo", "2026-10-08T09:30:00Z"),
        ("m-large-091", "demo", "2026-11-01T00:00:00Z"),
        ("m-large-091", "clock", "2026-11-01T00:00:00Z"),  # by the relay, without a close
        ("m-large-116", "demo", "2026-10-12T15:00:00Z"),
    }
    states = {it["tenant"]: it["state"] for it in report["plan_changes"]}
    assert states["m-large-116"] == "cancelled"
    kinds = {it["tenant"]: [line["kind"] for line in it["lines"]] for it in report["invoices"]}
    assert kinds["m-small-035"][:3] == ["base_fee", "proration_credit", "proration_charge"]
    assert kinds["m-large-091"] == ["base_fee", "included", "overage"]
    assert kinds["m-large-116"][0] == "base_fee"
    assert "m-large-116" in {row["tenant"] for row in report["unpriced"]}


def test_good_cards_pay_and_declined_ones_do_not(first: Run) -> None:
    report = first[0]
    states = Counter(invoice["state"] for invoice in report["invoices"])
    assert states["past_due"] == 3
    assert states["paid"] == len(report["invoices"]) - 3
    paid = {p["invoice"] for p in report["payments"] if p["state"] == "succeeded"}
    assert len(paid) == sum(p["state"] == "succeeded" for p in report["payments"])


def test_what_comes_late_is_corrected_to_the_cent_and_the_invoice_stays(first: Run) -> None:
    [late] = first[0]["late"]
    [line] = late["corrected_by"]
    invoice = next(it for it in first[0]["invoices"] if it["tenant"] == late["tenant"])
    price = {"USD": 500, "CNY": 3500}[late["currency"]]  # enterprise, a million more
    assert (late["events"], late["invoice"]) == (LATE, invoice["number"])
    assert (line["kind"], line["quantity"]) == ("correction", "2000000")
    assert late["amount_minor"] == line["amount_minor"] == 2 * price


def test_other_prices_are_tried_on_the_closed_month(first: Run) -> None:
    billed = Counter[str]()
    for invoice in first[0]["invoices"]:
        billed[invoice["currency"]] += invoice["total_minor"]
    simulated = {it["currency"]: it for it in first[0]["simulated"]}
    assert {currency: it["before_minor"] for currency, it in simulated.items()} == billed
    assert all(it["winners"] and it["losers"] for it in simulated.values())


def test_the_story_names_what_a_person_wants_to_know(first: Run) -> None:
    text = first[1]
    for needed in (
        "Plans that changed",
        "hard limit:",
        "p99",
        "proration_credit",
        "difference 0",
        "countinghouse usage late",
        "correction",
        "countinghouse simulate",
        "One invoice with a change of plan, explained",
        "Dagster's UI",
    ):
        assert needed in text


@pytest.mark.timeout(300)
def test_a_second_run_changes_nothing_and_says_so(first: Run, second: Run) -> None:
    assert lasting(second[0]) == lasting(first[0])
    assert "Found 761,562 of 761,562 events already there" in second[1]


def _quantities(invoice: dict[str, Any], *kinds: str) -> int:
    from schemas.quantity import to_micro

    return sum(to_micro(line["quantity"]) for line in invoice["lines"] if line["kind"] in kinds)


def test_the_input_files_are_those_that_ship() -> None:
    assert USAGE.stat().st_size > 4_000_000
    assert Path(SUBSCRIPTIONS).read_text().startswith("tenant,plan,starts_at,ends_at,currency,card")
