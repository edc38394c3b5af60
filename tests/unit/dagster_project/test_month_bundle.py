"""The bundle of a month as an asset: after the final invoices, the same when it is made again."""

import json
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import defs
from tests.unit.dagster_project.months import CLOSE, MONTH, Month, a_month, metadata_of


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    return a_month(tmp_path)


def test_it_is_written_after_the_invoices_are_final_and_again_the_same(
    month: Month, tmp_path: Path
) -> None:
    assert month.run(*CLOSE).success
    shown = metadata_of(month.run("finalized_invoices", "month_bundle"), "month_bundle")
    folder = tmp_path / "bundles" / MONTH
    manifest = json.loads((folder / "manifest.json").read_text())
    assert shown["path"] == str(folder)
    assert shown["content sha256"] == manifest["content_sha256"]
    assert manifest["content"]["state"] == "closed"
    assert shown["bytes"] == sum(it["bytes"] for it in manifest["content"]["files"].values())
    assert {row.data["file"] for row in shown["files"].records} == {*manifest["content"]["files"]}

    again = metadata_of(month.run("month_bundle"), "month_bundle")
    assert again == shown


def test_its_manifest_has_the_verdict_of_each_check_of_the_close(
    month: Month, tmp_path: Path
) -> None:
    assert month.run(*CLOSE, "finalized_invoices", "month_bundle").success
    manifest = json.loads((tmp_path / "bundles" / MONTH / "manifest.json").read_text())
    told = manifest["content"]["checks"] | manifest["run"]["checks"]
    closing = {dg.AssetKey(name) for name in CLOSE}
    checks = defs.resolve_asset_graph().asset_check_keys
    of_the_close = {key.name for key in checks if key.asset_key in closing}
    assert told.keys() == of_the_close - {"billed_by_six"}  # of today, not of the month
    assert {name for name, it in told.items() if it["passed"] is None} == set()


def test_a_month_without_invoices_has_none(month: Month, tmp_path: Path) -> None:
    assert month.run("monthly_usage", "charges", "prorations").success
    assert not month.run("month_bundle").success
    assert not (tmp_path / "bundles").exists()


def test_finalizing_a_month_writes_it() -> None:
    job = defs.resolve_job_def("finalize_and_collect")
    assert dg.AssetKey("month_bundle") in job.asset_layer.selected_asset_keys
