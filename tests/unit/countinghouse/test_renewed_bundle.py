"""A month's bundle is written anew when its invoices change after the close, if there is one."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from countinghouse import bundling
from countinghouse.bundling import bundle_month, check_bundle
from countinghouse.cli.app import app
from countinghouse.settings import Settings
from pipelines.close.closing import finalize
from schemas.errors import DependencyUnreachable
from stores.bundles import is_there
from stores.warehouse import client
from tests.builders import at
from tests.bundles import NoEvents
from tests.unit.dagster_project.months import MONTH, Month, a_month, drafted_bare

NOW = at("11-01 02:00")
RELEASE = ("release", "design", MONTH, "--by", "eve", "--reason", "they called")


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    """October, closed while design was held back."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client, "connect", lambda url: StringIO())
    monkeypatch.setattr(bundling, "WarehouseEvents", lambda _: NoEvents())
    found = a_month(tmp_path)
    drafted_bare(found, MONTH)
    found.ledger.hold_back(MONTH, "design", "eve", "a call is due")
    finalize(MONTH, found.ledger, lambda: NOW, seller=Settings().seller)
    return found


@pytest.fixture
def folder(month: Month, tmp_path: Path) -> Path:
    bundle_month(Settings(), MONTH)
    return tmp_path / "bundles" / MONTH


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["invoices", *arguments])
    if result.exception is not None:
        raise result.exception
    return result


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["content"]
    return found


def numbers(folder: Path) -> dict[str, str | None]:
    rows = pq.read_table(folder / "invoices.parquet").to_pylist()
    return {row["tenant"]: row["number"] for row in rows if not row["is_void"]}


def test_what_is_released_has_its_number_in_the_bundle(folder: Path) -> None:
    assert (content(folder)["counts"]["finalized"], numbers(folder)["design"]) == (1, None)
    told = run(*RELEASE)
    assert told.stderr == f"bundle written anew: {folder}\n"
    assert content(folder)["counts"]["finalized"] == 2
    assert numbers(folder)["design"] == f"{MONTH}-000002"
    assert check_bundle(folder, MONTH).differences == ()


def test_so_has_what_is_approved_when_it_is_finalized(month: Month, folder: Path) -> None:
    run("approve", MONTH, "--all", "--why", "fine")
    before = content(folder)
    assert before["counts"]["finalized"] == 1
    month.ledger.override(MONTH, "design", "eve", "they called")
    month.ledger.ask_for_approval(MONTH)
    told = run("approve", MONTH, "--all", "--why", "fine")
    assert f"bundle written anew: {folder}\n" in told.stderr
    assert content(folder)["counts"]["finalized"] == 2


def test_and_what_is_void_made_again_or_credited(folder: Path) -> None:
    number = f"{MONTH}-000001"
    reason = ("--reason", "wrong")
    run("void", number, *reason)
    assert content(folder)["counts"]["invoices"] == 1
    run("regenerate", number, *reason)
    assert content(folder)["counts"]["invoices"] == 2
    credit = ("credit-note", f"{MONTH}-000002", "--amount", "1.00", "--key", "1", *reason)
    run(*credit)
    assert content(folder)["counts"]["invoices"] == 3
    assert run(*credit).stderr == ""


def test_where_there_is_none_none_is_written(month: Month, tmp_path: Path) -> None:
    assert run(*RELEASE).stderr == ""
    assert not (tmp_path / "bundles").exists()


def test_a_bundle_that_cannot_be_written_stops_no_release_and_is_told(
    month: Month, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(url: str) -> None:
        raise DependencyUnreachable("ClickHouse does not answer")

    monkeypatch.setattr(client, "connect", unreachable)
    told = run(*RELEASE).stderr
    assert "ClickHouse does not answer" in told
    assert f"`countinghouse bundle {MONTH}`" in told
    assert {it.tenant: it.number for it in month.ledger.invoices(MONTH)}["design"] is not None
    assert numbers(folder)["design"] is None


def test_one_whose_writer_was_killed_while_it_took_its_place_is_there(folder: Path) -> None:
    folder.rename(folder.with_name(f".{MONTH}.old"))
    assert is_there(folder)
    run(*RELEASE)
    assert content(folder)["counts"]["finalized"] == 2
    assert [path.name for path in folder.parent.glob(".*.old")] == []
