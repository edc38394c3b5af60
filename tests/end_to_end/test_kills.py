"""Kill -9 of everything, wherever the demo stands; started again it ends as if undisturbed."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.embedded import ROOT
from tests.end_to_end.demo_process import Demo
from tests.end_to_end.independent import expected_invoices

pytestmark = pytest.mark.end_to_end

ROWS = 150_000
SUBSCRIPTIONS = ROOT / "examples/data/subscriptions.csv"
STEPS = (
    "hard limit:",  # in mid-replay: producer, counters, landing, broker and warehouse die
    "monthly usage:",  # in the close; test_killed_close kills it after each of its writes
    "finalized invoices:",  # between finalizing and collecting
)


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of the month's usage, in a file."""
    path = tmp_path_factory.mktemp("usage") / "usage.parquet"
    source = ROOT / "examples/data/llm_usage.parquet"
    duckdb.execute(f"COPY (FROM '{source}' LIMIT {ROWS}) TO '{path}' (FORMAT parquet)")
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, usage: Path) -> Iterator[Demo]:
    """A demo's home, with nothing of it running at the end."""
    demo = Demo(tmp_path_factory.mktemp("killed"), ["--usage", str(usage)])
    yield demo
    demo.command("down")
    demo.kill_all()


@pytest.mark.timeout(600)
def test_a_demo_killed_at_every_step_ends_like_one_that_was_not(demo: Demo, usage: Path) -> None:
    for step in STEPS:
        demo.run_until(step)
    report, _ = demo.run()
    expected = expected_invoices(usage, SUBSCRIPTIONS)
    assert {i["tenant"]: (i["currency"], i["total_minor"]) for i in report["invoices"]} == {
        tenant: (invoice.currency, invoice.total_minor) for tenant, invoice in expected.items()
    }
    events = report["events"]
    assert events["landed"] == ROWS
    assert events["produced"] == ROWS + events["duplicates"] + events["rejected"]
    assert report["reconciliation"]["differences"] == []
    attempts = [payment["invoice"] for payment in report["payments"]]
    assert len(attempts) == len(set(attempts))
    facts = [(b["tenant"], b["threshold_percent"]) for b in report["breaches"]]
    assert len(facts) == len(set(facts))
