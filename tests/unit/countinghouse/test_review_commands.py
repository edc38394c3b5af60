"""`invoices hold | approve | release` on a month of drafts, and what the manifest says of them."""

import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from countinghouse import closing_run
from countinghouse.closing_run import close_month
from countinghouse.dagster_runs import RunEnded, RunRequest
from countinghouse.settings import Settings
from dagster_project.month_bundle import run_record
from pipelines.close import closing
from schemas.errors import InvalidInput, NotFound
from schemas.vector import Vector
from tests.builders import a_subscription, at, units
from tests.fake_warehouse import Used
from tests.unit.countinghouse import commands
from tests.unit.dagster_project.months import MONTH, Month, a_month, drafted_bare

NOW = at("11-01 02:00")


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = a_month(tmp_path)
    drafted_bare(found, MONTH)
    return found


def run(*arguments: str) -> str:
    return commands.run("invoices", *arguments)


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


def test_a_note_alone_is_released_like_an_invoice(month: Month) -> None:
    """Design has ended with October, of which usage came late."""
    closing.finalize(MONTH, month.ledger, lambda: NOW, seller="a seller")
    ended = a_subscription("free 09-01, pro 10-16 .. 11-01", "design")
    month.ledger.save_subscriptions([ended], NOW, "ada")
    month.warehouse.events.append(Used("design", "tokens", at("10-30"), units(100_000), offset=10))
    month.log.end = month.log.landing = month.warehouse.counters_at = Vector({(1, 0): 11})
    drafted_bare(month, "2026-11")
    run("hold", "2026-11", "design", "--why", "a call is due")
    assert run("release", "design", "2026-11", "--by", "eve", "--reason", "they called") == (
        "design: with the others when the month is finalized\n"
    )


def test_some_drafts_are_approved_then_all(month: Month) -> None:
    told = json.loads(run("approve", MONTH, "design", "--why", "fine", "--json"))
    assert told == {"month": MONTH, "approved": 1, "unapproved": 1, "finalized": 0}
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


@pytest.fixture
def unapproved(month: Month) -> Month:
    """The month was closed, from the UI, before anybody had approved a draft."""
    month.ledger.ask_for_approval(MONTH)
    report = closing.finalize(MONTH, month.ledger, lambda: NOW, seller="a seller")
    assert report.counts == {"finalized": 0, "held": 2}
    return month


def numbers(month: Month) -> dict[str, str | None]:
    return {it.tenant: it.number for it in month.ledger.invoices(MONTH)}


def test_what_is_approved_after_its_month_was_closed_gets_a_number_then(unapproved: Month) -> None:
    assert run("approve", MONTH, "design", "--why", "fine") == (
        "2026-10: 1 drafts approved, 1 not yet; 1 finalized, `pay 2026-10` collects\n"
    )
    assert numbers(unapproved) == {"design": "2026-10-000001", "upgrade": None}
    told = json.loads(run("approve", MONTH, "--all", "--why", "fine", "--json"))
    assert told == {"month": MONTH, "approved": 1, "unapproved": 0, "finalized": 1}
    assert numbers(unapproved)["upgrade"] == "2026-10-000002"


def test_who_waits_for_approval_is_listed_where_the_held_are(unapproved: Month) -> None:
    waiting = dict.fromkeys(("design", "upgrade"), "waits for approval")
    assert {it.tenant: it.held for it in unapproved.ledger.held_drafts(MONTH)} == waiting
    listed = json.loads(run("list", "--month", MONTH, "--json"))
    assert {it["tenant"]: it["held"] for it in listed} == waiting
    assert close_month(Settings(), MONTH, print).held == waiting
    run("approve", MONTH, "design", "--why", "fine")
    assert [it.tenant for it in unapproved.ledger.held_drafts(MONTH)] == ["upgrade"]


def test_a_hold_that_is_released_in_a_closed_month_leaves_the_approval_to_be_given(
    month: Month,
) -> None:
    month.ledger.hold_back(MONTH, "design", "eve", "a call is due")
    month.ledger.ask_for_approval(MONTH)
    closing.finalize(MONTH, month.ledger, lambda: NOW, seller="a seller")
    release = ("release", "design", MONTH, "--by", "eve", "--reason", "they called")
    assert run(*release) == "design: waits for approval\n"
    run("approve", MONTH, "design", "--why", "fine")
    assert numbers(month) == {"design": "2026-10-000001", "upgrade": None}


def test_closing_again_goes_on_with_what_passes_by_now(
    unapproved: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was approved by another program, in a month that was closed with nothing to collect."""
    asked: list[str] = []

    def run_there(_settings: Settings, request: RunRequest, *_told: object) -> RunEnded:
        asked.append(request.job)
        closing.finalize(MONTH, unapproved.ledger, lambda: NOW, seller="a seller")
        return RunEnded("a-run", ())

    monkeypatch.setattr(closing_run, "_run", run_there)
    assert close_month(Settings(), MONTH, print).nothing_to_do
    unapproved.ledger.approve(MONTH, None, "eve", "fine")
    assert close_month(Settings(), MONTH, print).invoices == {"finalized": 2}
    assert asked == ["finalize_and_collect"]


def test_the_manifest_says_who_has_approved_what(month: Month) -> None:
    run("approve", MONTH, "design", "--why", "looked at it", "--who", "eve")
    with dg.DagsterInstance.ephemeral() as instance:
        [approval] = run_record(MONTH, month.ledger, instance).approved
    assert (approval.tenant, approval.who, approval.why) == ("design", "eve", "looked at it")


def test_a_released_invoice_is_told_as_held_no_more(month: Month) -> None:
    """It keeps its difference, which a word has overridden: the audit log has whose."""
    books = month.ledger
    first = month.warehouse.events[0]
    month.warehouse.events[0] = replace(first, counted=False)
    drafted_bare(month, MONTH)
    [tenant] = [name for name, why in held(month).items() if why]
    closing.finalize(MONTH, books, lambda: NOW, seller="a seller")
    run("release", tenant, MONTH, "--by", "eve", "--reason", "the counter is wrong")
    [released] = books.invoices(MONTH, tenant=tenant)
    assert released.number
    listed = json.loads(run("list", "--month", MONTH, "--json"))
    assert {it["held"] for it in listed} == {None}
    assert json.loads(run("show", released.id, "--json"))["held"] is None
    assert books.held_drafts(MONTH) == []
