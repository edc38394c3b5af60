"""`simulate` on a closed month in a SQLite ledger: JSON, CSV, plots; nothing is stored."""

import json
from pathlib import Path

import pytest

from countinghouse.cli.moving import percent, spread_rows
from countinghouse.plots import buckets
from pipelines.reports.movements import Move, summarize
from schemas.errors import BillingError, InvalidInput
from tests.builders import LLM_TOKENS_FILE
from tests.unit.countinghouse import commands
from tests.unit.countinghouse.commands import invoke
from tests.unit.dagster_project.months import END, MONTH, Month, a_month
from tests.unit.pipelines.reports.test_simulation import closed_by


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Month]:
    """A home folder whose October is closed; simulating changes nothing of it."""
    home = tmp_path_factory.mktemp("home")
    found = a_month(home)
    closed_by(found.ledger, found.warehouse, END)
    return home, found


@pytest.fixture
def month(closed: tuple[Path, Month], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    home, found = closed
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """The shipped prices with a dearer pro and a cheaper enterprise."""
    file = tmp_path / "draft.yaml"
    text = LLM_TOKENS_FILE.read_text().replace("USD: 49.99", "USD: 59.99")
    file.write_text(text.replace("USD: 199.99", "USD: 149.99"))
    return file


def run(*arguments: str) -> str:
    return commands.run("simulate", "--month", MONTH, *arguments)


def test_winners_losers_and_percentiles_are_told(month: Month, draft: Path) -> None:
    before = month.contents()
    told = json.loads(run("--catalog", str(draft), "--json"))
    [usd] = told["totals"]
    assert (usd["tenants"], usd["winners"], usd["losers"]) == (2, 1, 1)
    assert (usd["before"], usd["after"], usd["change"]) == ("178.97", "153.48", "-25.49")
    assert usd["change_of_tenants"] == {"p5": "-30.65", "p50": "-30.65", "p95": "5.16"}
    assert [(it["tenant"], it["change"], it["percent"]) for it in told["largest"]] == [
        ("upgrade", "-30.65", "-20.2%"),
        ("design", "5.16", "18.9%"),
    ]
    assert month.contents() == before


def test_money_and_per_cent_stand_in_rows_of_their_own(month: Month, draft: Path) -> None:
    _, spread, movers = run("--catalog", str(draft)).split("\n\n")
    assert spread.splitlines() == [
        "currency,change,tenants,p5,p50,p95",
        "USD,in money,2,-30.65,-30.65,5.16",
        "USD,in per cent,2,-20.2%,-20.2%,18.9%",
    ]
    assert movers.startswith("tenant,currency,")


def test_who_paid_nothing_before_has_no_per_cent() -> None:
    found = [Move("free", "USD", 0, 100), Move("paid", "USD", 600, 700), Move("new", "CNY", 0, 5)]
    assert list(spread_rows(summarize(found))) == [
        ("CNY", "in money", 1, "0.05", "0.05", "0.05"),
        ("USD", "in money", 2, "1.00", "1.00", "1.00"),
        ("USD", "in per cent", 1, "16.7%", "16.7%", "16.7%"),
    ]


def test_the_price_list_in_force_changes_nobody(month: Month) -> None:
    told = json.loads(run("--catalog", str(LLM_TOKENS_FILE), "--json"))
    assert told["largest"] == []
    assert [it["change"] for it in told["totals"]] == ["0.00"]


def test_every_tenant_goes_into_the_csv_file(month: Month, draft: Path, tmp_path: Path) -> None:
    run("--catalog", str(draft), "--csv", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "month,tenant,currency,before,after,change,percent",
        "2026-10,design,USD,27.36,32.52,5.16,18.9%",
        "2026-10,upgrade,USD,151.61,120.96,-30.65,-20.2%",
    ]


@pytest.mark.parametrize(("name", "begins"), [("a.svg", "<svg"), ("a.html", "<!doctype html>")])
def test_a_plot_is_a_file_that_fetches_nothing(
    name: str, begins: str, month: Month, draft: Path, tmp_path: Path
) -> None:
    run("--catalog", str(draft), "--plot", str(tmp_path / name))
    text = (tmp_path / name).read_text()
    assert text.startswith(begins)
    assert "-25 to -10%" in text
    assert "A bar counts the tenants whose invoices change by so many per cent" in text
    assert "change of a tenant's invoices, in per cent of what it paid before" in text
    assert not [tag for tag in ("<script", "<link", "@import", 'xlink:href="http') if tag in text]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("--plot", "a.png"), "a plot is an .svg or an .html file"),
        (("--plot", "nowhere/a.svg"), "the folder is not there"),
        (("--map", "pro"), "write it like --map old=new"),
        (("--map", "team=pro"), "nobody had team; there were enterprise, free, pro"),
        (("--month", "2026-09"), "2026-09 was not opened for closing"),
        (("--month", "october"), "'october' is not a month"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    arguments: tuple[str, ...], refusal: str, month: Month, draft: Path
) -> None:
    result = invoke("simulate", "--month", MONTH, "--catalog", str(draft), *arguments)
    assert isinstance(result.exception, BillingError)
    assert refusal in str(result.exception)


def test_a_draft_that_is_wrong_is_told_by_its_place(month: Month, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("name: x\n")
    with pytest.raises(InvalidInput, match=r"wrong.yaml:1:1: "):
        run("--catalog", str(tmp_path / "wrong.yaml"))


@pytest.mark.parametrize(
    ("before", "after", "bucket"),
    [
        (100, 100, "unchanged"),
        (0, 0, "unchanged"),
        (0, 5, "was free"),
        (1000, 999, "-5 to 0%"),
        (1000, 1001, "0 to +5%"),
        (1000, 1050, "+5 to +10%"),
        (1000, 750, "-25 to -10%"),
        (1000, 0, "-100 to -50%"),
        (1000, 1999, "+50 to +100%"),
        (1000, 2000, "over +100%"),
        (1000, 9000, "over +100%"),
        (1000, -9000, "below -100%"),
    ],
)
def test_tenants_are_counted_by_their_share(before: int, after: int, bucket: str) -> None:
    found = buckets([Move("acme", "USD", before, after)])
    assert {name for name, count in found.items() if count} == {bucket}


@pytest.mark.parametrize(
    ("ppm", "text"),
    [
        (None, ""),
        (0, "0.0%"),
        (-125_000, "-12.5%"),
        (499, "0.0%"),
        (-400, "0.0%"),
        (3_000_000, "300.0%"),
    ],
)
def test_a_share_is_told_with_a_digit(ppm: int | None, text: str) -> None:
    assert percent(ppm) == text


@pytest.mark.parametrize(("option", "name"), [("--csv", "none/x.csv"), ("--plot", "folder.svg")])
def test_a_file_that_cannot_be_written_is_told(
    month: Month, draft: Path, option: str, name: str
) -> None:
    Path("folder.svg").mkdir()
    with pytest.raises(InvalidInput, match=f"{name} cannot be written"):
        run("--catalog", str(draft), option, name, "--top", "0")
