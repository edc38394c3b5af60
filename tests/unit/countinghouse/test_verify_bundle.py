"""`verify MONTH --bundle`: whose bundle it is, and what a person reads of a changed one."""

from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from countinghouse.bundling import check_bundle
from countinghouse.cli.app import app
from dagster_project.month_bundle import write_month
from schemas.bundle import RunRecord
from schemas.errors import InvalidInput, NotFound
from stores.ledger import Ledger
from tests import bundles
from tests.unit.pipelines.close.test_closing import MONTH, World

RUN = RunRecord("2026-11-01T01:00:00Z", None, {}, ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    world = World()
    world.close()
    made = tmp_path / "bundle"
    write_month(MONTH, made, cast(Ledger, world.ledger), bundles.NoEvents(), RUN)
    return made


def told(folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify", MONTH, "--bundle", str(folder)])
    return result.exit_code, " ".join(result.stderr.split())


def test_the_bundle_of_another_month_is_refused_with_both(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"is the bundle of 2026-10, not of 2026-09"):
        check_bundle(folder, "2026-09")


def test_a_folder_without_a_manifest_is_no_bundle_and_nothing_is_advised_into_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "passwd").write_text("root")
    with pytest.raises(NotFound) as error:
        check_bundle(tmp_path, MONTH)
    text = str(error.value)
    assert text.startswith(f"{tmp_path} is no bundle (no manifest.json in it); ")
    assert "`countinghouse bundle 2026-10 --out FOLDER`" in text
    assert f"--out {tmp_path}" not in text
    assert "a folder of its own" in text


@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", '{"content": {"month": "2026-10"}}'])
def test_a_manifest_of_something_else_is_no_bundle_s(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"manifest\.json is not that of a bundle"):
        check_bundle(tmp_path, MONTH)


def test_a_bundle_as_it_was_written_says_so(folder: Path) -> None:
    assert told(folder) == (0, f"{folder}: 11 lines computed again, nothing differs")


def test_one_changed_row_of_usage_is_told_with_the_lines_that_follow(folder: Path) -> None:
    path = folder / "usage.parquet"
    usage = pq.read_table(path)
    own = {"tenant": "design", "meter": "tokens", "segment": 2}
    is_it = pa.array([row.items() >= own.items() for row in usage.to_pylist()])
    less = pc.add(usage["quantity_micro"], pc.multiply(is_it.cast(pa.int64()), -200_000_000_000))
    place = usage.column_names.index("quantity_micro")
    pq.write_table(usage.set_column(place, usage.schema.field(place), less), path)
    assert [row["kind"] for row in bundles.differences(folder)] == ["included", "overage"]
    assert told(folder) == (
        1,
        f"{folder}: 11 lines computed again: 1 file is not as written (usage.parquet), and 2 lines"
        f" of 1 tenant (design) come out otherwise. What is computed from a changed"
        " figure differs with it: one row of usage may be told in several lines.",
    )


def test_what_is_no_line_is_told_by_its_name(folder: Path) -> None:
    path = folder / "invoices.parquet"
    invoices = pq.read_table(path)
    place = invoices.column_names.index("total_minor")
    more = pc.add(invoices["total_minor"], 1)
    pq.write_table(invoices.set_column(place, invoices.schema.field(place), more), path)
    code, text = told(folder)
    assert code == 1
    assert "1 file is not as written (invoices.parquet), and 3 totals of 3 tenants (" in text
