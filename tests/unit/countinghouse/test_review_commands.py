"""`invoices hold | approve | release` on a month of drafts, and what the manifest says of them."""

import json
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from countinghouse.cli.app import app
from dagster_project.month_bundle import run_record
from schemas.errors import InvalidInput, NotFound
from tests.unit.dagster_project.months import MONTH, Month, a_month, drafted_bare


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = a_month(tmp_path)
    drafted_bare(found, MONTH)
    return found


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["invoices", *arguments])


def run(*arguments: str) -> str:
    result = invoke(*arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def held(month: Month) -> dict[str, str | None]:
    return {it.tenant: it.held for it in month.ledger.invoices(MONTH)}


def test_a_person_holds_a_tenant_back_until_it_is_released(month: Month) -> None:
    assert run("hold", MONTH, "design", "--why", "a call is due", "--who", "eve") == (
        "design: held back in 2026-10\n"
    )
    drafted_bare(month, MONTH)
    assert held(month) == {"design": "eve holds it back: a call is due", "upgrade": None}
    run("release", "design", MONTH, "--by", "eve", "--reason", "they called")
    assert held(month) == {"design": None, "upgrade": None}


def test_some_drafts_are_approved_then_all(month: Month) -> None:
    told = json.loads(run("approve", MONTH, "design", "--why", "fine", "--json"))
    assert told == {"month": MONTH, "approved": 1, "unapproved": 1}
    assert run("approve", MONTH, "--all", "--why", "fine") == (
        "2026-10: 2 drafts approved, 0 not yet; `close 2026-10` goes on\n"
    )


def test_all_or_some_are_asked_for_and_they_are_there(month: Month) -> None:
    for wrong in ((), ("design", "--all")):
        with pytest.raises(InvalidInput, match="name tenants, or give --all"):
            run("approve", MONTH, *wrong, "--why", "fine")
    with pytest.raises(NotFound, match="of nobody"):
        run("approve", MONTH, "nobody", "--why", "fine")
    with pytest.raises(NotFound, match="'nobody' has no draft"):
        run("hold", MONTH, "nobody", "--why", "fine")


def test_the_manifest_says_who_has_approved_what(month: Month) -> None:
    run("approve", MONTH, "design", "--why", "looked at it", "--who", "eve")
    with dg.DagsterInstance.ephemeral() as instance:
        [approval] = run_record(MONTH, month.ledger, instance).approved
    assert (approval.tenant, approval.who, approval.why) == ("design", "eve", "looked at it")
