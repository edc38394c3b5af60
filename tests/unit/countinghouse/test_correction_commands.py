"""What follows a closed month, from the command line: late usage, void, made again, credited."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from countinghouse.settings import Settings
from pipelines.bundle.bundle import make_bundle
from pipelines.corrections import invoice_corrections
from pipelines.invoices.books import Books
from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.repeats import RepeatedIds
from schemas.vector import Vector
from tests import bundles
from tests.builders import at, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.unit.countinghouse.commands import invoke, run, run_json
from tests.unit.dagster_project.months import MONTH, Month, a_month, an_empty_month, close_bare

DESIGN, UPGRADE = "2026-10-000001", "2026-10-000002"


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    """October, closed: 27.36 of design, 151.61 of upgrade; the warehouse and the log in memory."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTINGHOUSE_SELLER", "a seller")  # who has closed it
    monkeypatch.chdir(tmp_path)
    found = a_month(tmp_path)
    close_bare(found, MONTH)

    @contextmanager
    def reader(settings: Settings, *, patience_seconds: int = 0) -> Iterator[FakeWarehouse]:
        yield found.warehouse

    def log(settings: Settings) -> FakeLog:
        return found.log

    monkeypatch.setattr("countinghouse.wiring.usage_reader", reader)
    monkeypatch.setattr("countinghouse.wiring.usage_log", log)
    return found


def comes_late(month: Month, *meters: str) -> None:
    """An event of design that these meters read, after the close."""
    month.warehouse.events += [
        Used("design", meter, at("10-30"), units(100_000), offset=10) for meter in meters
    ]
    month.log.end = month.log.landing = month.warehouse.counters_at = Vector({(1, 0): 11})


def test_a_void_invoice_keeps_its_number_and_is_void_once(month: Month) -> None:
    given = ("invoices", "void", DESIGN, "--reason", "wrong buyer", "--by", "eve")
    assert run(*given) == f"{DESIGN} is void\n"
    assert run(*given) == f"nothing to do: {DESIGN} was void already\n"
    assert month.ledger.invoice(DESIGN).state.value == "void"
    [row] = [it for it in month.ledger.audit_log() if it["action"] == "invoice.voided"]
    assert (row["who"], json.loads(row["detail"])["why"]) == ("eve", "wrong buyer")


def test_a_void_invoice_is_made_again_with_the_next_number(month: Month) -> None:
    with pytest.raises(Conflict, match=DESIGN):
        run("invoices", "regenerate", DESIGN, "--reason", "not void")
    run("invoices", "void", DESIGN, "--reason", "wrong buyer")
    made = run_json("invoices", "regenerate", DESIGN, "--reason", "right buyer")
    rows = month.ledger.audit_log()
    assert {it["who"] for it in rows if it["action"] == "invoice.voided"} == {getpass.getuser()}
    assert made == {"number": "2026-10-000003", "total_minor": 2736, "currency": "USD"}
    assert run_json("invoices", "regenerate", DESIGN, "--reason", "again") == made


def test_an_amount_or_a_line_is_credited(month: Month) -> None:
    amount = ("invoices", "credit-note", UPGRADE, "--amount", "10.00", "--reason", "outage")
    assert run(*amount, "--key", "outage") == f"2026-10-000003 credits {UPGRADE}: USD -10.00\n"
    again = run(*amount, "--key", "outage")
    assert again == f"2026-10-000003 credits {UPGRADE}: USD -10.00 (issued before, paid now)\n"
    line = run_json("invoices", "credit-note", UPGRADE, "--line", "1", "--reason", "a gift")
    issued = {"number": "2026-10-000004", "total_minor": -4999, "currency": "USD"}
    assert line == issued | {"result": "added"}


def test_without_a_key_each_note_is_another_whatever_keys_are_in_use(month: Month) -> None:
    amount = ("invoices", "credit-note", UPGRADE, "--amount", "10.00", "--reason", "outage")
    keys = (("--key", "2"), (), (), ("--key", "2"), ("--key", "1"))
    found = [run_json(*amount, *key) for key in keys]
    numbers = [each["number"].removeprefix("2026-10-00000") for each in found]
    assert numbers == ["3", "4", "5", "3", "6"]
    assert [each["result"] for each in found] == ["added"] * 3 + ["unchanged", "added"]


def test_a_key_is_of_one_note_and_not_like_those_of_notes_without(month: Month) -> None:
    note = ("invoices", "credit-note", UPGRADE, "--reason", "outage", "--key")
    run(*note, "a", "--amount", "10.00")
    told = r"2026-10-000003 was issued by this key, and credits USD 10.00; .* another key"
    with pytest.raises(Conflict, match=told):
        run(*note, "a", "--amount", "10.01")
    with pytest.raises(InvalidInput, match="--key: ':1' begins with a colon"):
        run(*note, ":1", "--amount", "10.00")


def test_two_notes_without_a_key_at_once_are_two(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([":1", ":1", ":2"])
    monkeypatch.setattr(invoice_corrections, "_next_key", lambda *_: next(free))
    amount = ("invoices", "credit-note", UPGRADE, "--amount", "10.00", "--reason", "outage")
    assert run_json(*amount)["number"] != run_json(*amount)["number"]


def test_a_bundle_tells_what_stands_and_its_script_is_silent(month: Month, tmp_path: Path) -> None:
    run("invoices", "void", DESIGN, "--reason", "wrong buyer")
    run("invoices", "regenerate", DESIGN, "--reason", "right buyer")
    run("invoices", "credit-note", UPGRADE, "--amount", "10.00", "--reason", "outage")
    tables = bundles.write(Books(MONTH, month.ledger), tmp_path / "bundle")
    told = tables["invoices"].select(["number", "is_void", "total_minor"]).to_pylist()
    assert [tuple(each.values()) for each in told] == [
        ("2026-10-000003", False, 2736),
        (UPGRADE, False, 15161),
        ("2026-10-000004", False, -1000),
    ]
    assert tables["lines"]["invoice"].unique() == tables["invoices"]["invoice"].combine_chunks()
    assert bundles.differences(tmp_path / "bundle") == []
    run("invoices", "void", "2026-10-000003", "--reason", "never mind")
    again = bundles.write(Books(MONTH, month.ledger), tmp_path / "bundle")
    assert again["invoices"]["is_void"].to_pylist() == [True, False, False]
    assert bundles.differences(tmp_path / "bundle") == []


def test_a_manifest_counts_what_is_not_void(month: Month) -> None:
    def counts() -> dict[str, int]:
        bundle = make_bundle(MONTH, month.ledger, bundles.NoEvents())
        found: dict[str, int] = bundle.content({}, "a writer")["counts"]
        return {name: found[name] for name in ("invoices", "finalized", "lines")}

    before = counts()
    lines = len(month.ledger.invoice(DESIGN).lines)
    run("invoices", "void", DESIGN, "--reason", "wrong buyer")
    assert counts() == {name: n - (lines if name == "lines" else 1) for name, n in before.items()}
    run("invoices", "regenerate", DESIGN, "--reason", "right buyer")
    assert counts() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("--amount", "ten"),
        ("--amount", "10.00", "--line", "1"),
        (),
        ("--line", "99"),
        ("--amount", "1000.00"),
    ],
)
def test_what_cannot_be_credited_is_refused(month: Month, arguments: tuple[str, ...]) -> None:
    before = month.ledger.invoices(MONTH)
    with pytest.raises((InvalidInput, NotFound, Conflict)):
        run("invoices", "credit-note", UPGRADE, *arguments, "--reason", "why not")
    assert month.ledger.invoices(MONTH) == before


def test_late_usage_is_listed_by_tenant_and_each_event_once(month: Month) -> None:
    comes_late(month, "tokens", "input_tokens")
    [row] = run_json("usage", "late", MONTH)
    assert (row["tenant"], row["events"]) == ("design", 1)
    assert row["usage"] == "input_tokens 100000, tokens 100000"
    assert (row["open"], row["corrected"], row["currency"]) == ("0.80", "0.00", "USD")


def test_without_late_usage_that_is_said(month: Month) -> None:
    result = invoke("usage", "late")
    assert (result.exit_code, result.stderr) == (0, "0 tenants with late usage of closed months\n")


@pytest.mark.parametrize("other", ["2027-01", "2026-11"])
def test_a_month_that_is_not_closed_has_no_late_usage_and_that_is_said(
    month: Month, other: str
) -> None:
    comes_late(month, "tokens")
    with pytest.raises(NotFound, match=f"{other} is not closed"):
        run("usage", "late", other)


def test_the_three_figures_are_told_with_the_cause_of_each_difference(month: Month) -> None:
    comes_late(month, "tokens")
    result = invoke("reconcile", MONTH, "--invoices", "--json")
    rows = {row["tenant"]: row for row in json.loads(result.stdout)}
    assert result.exit_code == 0
    design = rows["design"]
    assert (design["warehouse"], design["invoice"], design["late"]) == (
        "860000",
        "760000",
        "100000",
    )
    assert rows["upgrade"]["lost"] == "0"


def test_what_is_lost_between_them_is_an_error(month: Month) -> None:
    month.warehouse.events[0] = replace(month.warehouse.events[0], counted=False)
    result = invoke("reconcile", MONTH, "--invoices")
    assert result.exit_code == 1
    assert "1 lost" in result.stderr
    assert "design" in result.stdout
    assert "upgrade" not in result.stdout


def test_usage_that_no_invoice_bills_and_ids_of_two_months_are_listed(month: Month) -> None:
    month.warehouse.in_two_months = [RepeatedIds("upgrade", "2026-11", 2, "shop", "e-1")]
    [row] = run_json("usage", "repeated", MONTH)
    assert row == {
        "tenant": "upgrade",
        "month": MONTH,
        "other_month": "2026-11",
        "ids": 2,
        "source": "shop",
        "id": "e-1",
    }
    result = invoke("usage", "unbilled", MONTH)
    assert result.stderr == "0 findings of usage that no invoice bills\n"


def test_a_line_is_credited_once_until_its_note_is_void(month: Month) -> None:
    line = ("invoices", "credit-note", UPGRADE, "--reason", "goodwill", "--line")
    run(*line, "1")
    told = (
        "line 1 of 2026-10-000002 was credited by 2026-10-000003, USD 0.00 are left of it, not "
        "USD 49.99; void that note first, or credit an --amount"
    )
    with pytest.raises(Conflict, match=told):
        run(*line, "1")
    with pytest.raises(Conflict, match="line 1 of 2026-10-000002 was credited"):
        run(*line, "1", "--key", "another")
    run("invoices", "void", "2026-10-000003", "--reason", "a slip")
    assert run_json(*line, "1")["total_minor"] == -4999


def test_a_line_is_credited_once_by_its_key_and_by_notes_that_do_not_name_it(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("invoices", "credit-note", UPGRADE, "--reason", "goodwill", "--line", "1")
    with monkeypatch.context() as patched:
        patched.setattr(invoice_corrections, "_named", lambda *_: {})  # as notes once were
        run(*line, "--key", "mine")
    assert run_json(*line, "--key", "mine")["result"] == "unchanged"
    with pytest.raises(Conflict, match="was credited by 2026-10-000003"):
        run(*line)
    amount = ("invoices", "credit-note", UPGRADE, "--amount", "1.00", "--reason", "goodwill")
    run(*amount)
    run(*amount)


def test_all_notes_together_credit_no_more_than_the_invoice(month: Month) -> None:
    lines = month.ledger.invoice(UPGRADE).lines
    note = ("invoices", "credit-note", UPGRADE, "--reason", "goodwill")
    run(*note, "--amount", "150.00")
    for place, line in enumerate(lines, 1):
        kind = InvalidInput if line.amount_minor <= 0 else Conflict
        with pytest.raises(kind, match=r"charges nothing|has USD 1\.61 left to credit"):
            run(*note, "--line", str(place))
    run(*note, "--amount", "1.61")
    with pytest.raises(Conflict, match=r"has USD 0.00 left to credit"):
        run(*note, "--amount", "0.01")
    credit = month.ledger.invoices(MONTH, tenant="upgrade")
    notes = [it for it in credit if it.kind == "note"]
    of_note = ("invoices", "credit-note", notes[0].number or "", "--reason", "goodwill")
    with pytest.raises(Conflict, match="left to credit"):
        run(*of_note, "--amount", "0.01")


@pytest.mark.parametrize("key", ["2026-09", "2027-01"])
def test_charges_of_a_month_that_is_not_closed_are_not_written(month: Month, key: str) -> None:
    told = f"{key} is not closed and has no finalized invoices; `countinghouse close {key}`"
    with pytest.raises(NotFound, match=told):
        run("invoices", "export", "--focus", key, "--out", "charges.csv")
    assert not Path("charges.csv").exists()


def test_charges_of_a_closed_month_without_invoices_are_an_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    nobody = an_empty_month(tmp_path)
    close_bare(nobody, MONTH)
    assert invoke("invoices", "export", "--focus", MONTH, "--out", "charges.csv").exit_code == 0
    assert len(Path("charges.csv").read_text().splitlines()) == 1
