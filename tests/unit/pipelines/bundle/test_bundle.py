"""A bundle's own script: silent about every kind of invoice, and loud about every change."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.bundle.bundle import make_bundle
from pipelines.bundle.bundle_manifest import content_hash, manifest
from pipelines.catalog.marked_yaml import read_yaml
from pipelines.invoices.books import Books
from schemas.bundle import RunRecord, WrittenFile
from schemas.money import MOST_MINOR
from stores.bundles import changed_files, write_bundle
from tests import bundles
from tests.builders import at
from tests.cases import bill_of
from tests.unit.pipelines.close.test_closing import MONTH, World
from tests.unit.pipelines.close.test_closing_adjusted import Adjusted
from tests.unit.pipelines.corrections.test_late_usage import a_world, with_policy

GOLDEN = Path(__file__).parents[3] / "golden"
CASES = (
    "by_model_usd",
    "credits_usd",
    "features_pro_to_team_cny",
    "percentage_jpy",
    "tax_exclusive_usd",
    "trial_and_pause_usd",
    "all_at_once_usd",
)
"""Together they have every kind of line and step; each costs sixty statements."""


@pytest.mark.parametrize("name", CASES)
def test_a_golden_invoice_comes_out_of_its_files_again(name: str, tmp_path: Path) -> None:
    case = GOLDEN / f"{name}.yaml"
    given: Any = read_yaml(case.read_text(), case.name).tree
    books = bundles.drafted(bill_of(given))
    tables = bundles.write(books, tmp_path / "bundle")
    assert tables["lines"].num_rows == sum(len(it.lines) for it in books.invoices) > 0
    assert bundles.differences(tmp_path / "bundle") == []


PRICED: dict[str, Any] = {"overage": {"model": "per_unit", "price": {"USD": "0.1"}}}
POLICIES: dict[str, dict[str, Any]] = {
    "ahead": {"base_fee": "in_advance"},
    "daily": {"proration": "day"},
    "whole": {"proration": "none"},
    "full": {"included_on_upgrade": "full"},
    "own": {"pool": "per_segment"},
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_plan_s_policies_come_out_again(policy: str, tmp_path: Path) -> None:
    given = {
        "plans": {
            "small": {"base_fee": {"USD": "31"}, "meters": {"calls": {"included": 100} | PRICED}},
            "large": {
                "base_fee": {"USD": "62"},
                "policies": POLICIES[policy],
                "meters": {"calls": {"included": 300} | PRICED},
            },
        },
        "subscribed": "small 09-01, large 10-11",
        "usage": "calls 90 @1, calls 400.5 @2",
    }
    books = bundles.drafted(bill_of(given))
    tables = bundles.write(books, tmp_path / "bundle")
    assert {"overage", "proration_charge"} & {it.kind for it in books.invoices[0].lines}
    assert tables["other_fees"].num_rows > 0 or policy in ("full", "own")
    assert bundles.differences(tmp_path / "bundle") == []


@pytest.mark.parametrize("plans", ["dear 09-01", "dear 09-01, large 10-11"])
def test_an_amount_of_more_than_a_line_says_comes_out_again(plans: str, tmp_path: Path) -> None:
    price = {"overage": {"model": "per_unit", "price": {"USD": "9000000"}}}
    terms = {"base_fee": {"USD": "31"}, "meters": {"calls": {"included": 100} | price}}
    given = {
        "plans": {"dear": terms, "large": terms},
        "subscribed": plans,
        "usage": "calls 100000000000 @1",
    }
    books = bundles.drafted(bill_of(given))
    bundles.write(books, tmp_path / "bundle")
    assert MOST_MINOR in [line.amount_minor for line in books.invoices[0].lines]
    assert bundles.differences(tmp_path / "bundle") == []


@pytest.mark.parametrize(("policy", "paid"), [("line", 5199), ("note", 4999)])
def test_credits_pay_what_is_corrected_on_the_invoice_and_no_note(
    policy: str, paid: int, tmp_path: Path
) -> None:
    world = a_world(with_policy(corrected_by=policy))
    world.send(("acme", "10-31 23:00", 250_000))
    gift = ("acme", "gift", "USD", 10_000, at("11-01"), None, 50, 10_000)
    world.ledger.has["credits"] = [gift]
    world.close("2026-11")
    tables = bundles.write(Books("2026-11", world.ledger), tmp_path / "bundle")
    lines = tables["lines"].to_pylist()
    used = [row["amount_minor"] for row in lines if row["kind"] == "credit_applied"]
    assert used == [-paid]
    assert bundles.differences(tmp_path / "bundle") == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bundle of a month with several tenants, and what follows from fees and usage."""
    world = Adjusted()
    world.close()
    bundles.write(Books(MONTH, world.ledger), tmp_path / "bundle")
    return tmp_path / "bundle"


def change(folder: Path, name: str, column: str, kind: pa.DataType, by: object) -> None:
    """Put another value into the last row of a column."""
    table = pq.read_table(folder / f"{name}.parquet")
    values = table[column].to_pylist()
    values[-1] = by(values[-1]) if callable(by) else by
    place = table.schema.get_field_index(column)
    pq.write_table(
        table.set_column(place, column, pa.array(values, kind)), folder / f"{name}.parquet"
    )


@pytest.mark.parametrize(
    ("name", "column", "what"),
    [
        ("lines", "amount_minor", {"line", "total"}),
        ("lines", "period_end_ms", {"line"}),
        ("subscriptions", "starts_ms", {"line"}),
        ("invoices", "total_minor", {"total"}),
    ],
)
def test_a_changed_figure_is_listed(folder: Path, name: str, column: str, what: set[str]) -> None:
    change(folder, name, column, pa.int64(), lambda value: value + 86_400_000)
    assert {row["what"] for row in bundles.differences(folder)} == what


def test_a_line_that_is_taken_out_is_listed(folder: Path) -> None:
    path = folder / "lines.parquet"
    lines = pq.read_table(path)
    pq.write_table(lines.filter(pc.not_equal(lines["kind"], "overage")), path)
    assert "line" in {row["what"] for row in bundles.differences(folder)}


def test_a_changed_document_is_listed(folder: Path) -> None:
    change(folder, "invoices", "document", pa.string(), lambda text: text.replace("2026", "2025"))
    assert [row["what"] for row in bundles.differences(folder)] == ["document"]


def test_the_manifest_tells_what_is_in_it_and_leaves_clocks_out_of_its_hash() -> None:
    world = World()
    world.close()
    bundle = make_bundle(MONTH, world.ledger, bundles.NoEvents())
    files = {"usage.parquet": WrittenFile("00", 12, 8)}
    content = bundle.content(files, "a writer")
    assert content["counts"] == {
        "subscriptions": 3,
        "usage_rows": 8,
        "metered_events": 8,
        "invoices": 3,
        "finalized": 3,
        "lines": 11,
    }
    assert content["totals_minor"] == {"CNY": 0, "USD": 17897}
    failed = [name for name, check in content["checks"].items() if not check["passed"]]
    assert failed == ["usage_has_a_subscription"]
    assert content["reconciliation"]["held"] == {}
    early, late = (
        json.loads(manifest(content, RunRecord(at, None, {"charges": 0.1}, ())))
        for at in ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    )
    assert early["content"] == late["content"]
    assert early["content_sha256"] == late["content_sha256"] == content_hash(content)
    assert early["run"] != late["run"]


def test_files_that_were_changed_are_told(tmp_path: Path) -> None:
    def describe(written: object) -> bytes:
        files = {name: {"sha256": it.sha256} for name, it in dict(written).items()}  # type: ignore[call-overload]
        return json.dumps({"content": {"month": MONTH, "files": files}}).encode()

    write_bundle(tmp_path / "it", [{"a": pa.table({"x": [1]})}], {"b.txt": "b"}, describe)
    assert changed_files(tmp_path / "it") == []
    (tmp_path / "it" / "b.txt").write_text("c")
    (tmp_path / "it" / "a.parquet").unlink()
    assert changed_files(tmp_path / "it") == ["a.parquet is missing", "b.txt was changed"]
