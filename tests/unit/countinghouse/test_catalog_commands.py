"""`catalog diff` and `catalog show` on files and on a ledger in a temporary folder."""

import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from countinghouse.init import DEFAULT_CATALOG, EXAMPLES, apply_catalog, open_ledger
from countinghouse.settings import Settings
from pipelines.catalog.catalog_succession import ensure_follows
from schemas.errors import Conflict, InvalidInput, NotFound
from stores.ledger import SavedCounts, connect
from tests.builders import a_subscription
from tests.unit.countinghouse.commands import invoke
from tests.unit.pipelines.catalog.test_catalog_diff import edited
from tests.unit.pipelines.catalog.test_catalog_succession import without as without_meter


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dearer(tmp_path: Path) -> str:
    file = tmp_path / "dearer.yaml"
    file.write_text(DEFAULT_CATALOG.read_text().replace("USD: 49.99", "USD: 59.99"))
    return str(file)


def test_two_files_are_compared_without_a_ledger(dearer: str, home: Path) -> None:
    found = invoke("catalog", "diff", str(DEFAULT_CATALOG), dearer)
    assert found.exit_code == 1
    assert "plan pro\n    base fee in USD: 49.99 → 59.99\n" in found.stdout
    assert not (home / "home").exists()


def test_what_does_not_differ_is_told_with_exit_code_0() -> None:
    found = invoke("catalog", "diff", str(DEFAULT_CATALOG), str(DEFAULT_CATALOG))
    assert (found.exit_code, found.stdout) == (0, "nothing differs\n")


def test_a_file_is_compared_with_what_is_in_force_and_subscribers_are_counted(
    dearer: str, home: Path
) -> None:
    assert invoke("catalog", "apply", str(DEFAULT_CATALOG)).exit_code == 0
    for tenant in ("acme", "bolt"):
        assert invoke("subscriptions", "start", tenant, "pro").exit_code == 0
    found = invoke("catalog", "diff", dearer)
    assert "plan pro (2 by version 1)" in found.stdout
    [change] = json.loads(invoke("catalog", "diff", "1", dearer, "--json").stdout)
    assert (change["tenants"], change["by_version"]) == (2, {"1": 2})
    assert change["differences"] == [
        {"subject": "plan pro", "name": "base fee in USD", "old": "49.99", "new": "59.99"}
    ]


def test_what_is_in_use_stays_counted(tmp_path: Path) -> None:
    text = DEFAULT_CATALOG.read_text()
    anniversaries, calendar = tmp_path / "anniversaries.yaml", tmp_path / "calendar.yaml"
    anniversaries.write_text(f"{text}anniversary_billing: true\n")
    calendar.write_text(text)
    assert invoke("catalog", "apply", str(anniversaries)).exit_code == 0
    assert invoke("catalog", "apply", str(calendar)).exit_code == 0
    assert invoke("catalog", "apply", str(anniversaries)).exit_code == 0
    started = ("start", "acme", "pro", "--anchor", "anniversary", "--at", "2026-10-16")
    assert invoke("subscriptions", *started).exit_code == 0
    refused = invoke("catalog", "apply", str(calendar))
    assert isinstance(refused.exception, Conflict)
    assert "billing periods of acme" in str(refused.exception)
    assert invoke("catalog", "apply", str(anniversaries)).stdout.startswith("nothing changed")


def test_a_plan_that_begins_while_a_price_list_is_judged_does_not_slip_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books, started = open_ledger(Settings()), list[Future[SavedCounts]]()

    def judged(*given: Any) -> None:
        ensure_follows(*given)
        wanted = [a_subscription("pro 09-01")]
        started.append(beside.submit(connect(books_url).save_subscriptions, wanted, 0, "ada"))
        wait(started, timeout=1)

    books_url, without = Settings().ledger_url, tmp_path / "without.yaml"
    without.write_text(json.dumps(edited(without_meter("tokens")).model_dump(mode="json")))
    monkeypatch.setattr("countinghouse.init.ensure_follows", judged)
    with ThreadPoolExecutor(1) as beside:
        assert apply_catalog(books, without) == (2, True)
        with pytest.raises(Conflict, match="pro of price list 1 is billed by tokens"):
            started[0].result()


def test_a_price_list_in_force_is_asked_for_where_there_is_none(dearer: str) -> None:
    result = invoke("catalog", "diff", dearer)
    assert isinstance(result.exception, NotFound)
    assert "name two files" in str(result.exception)
    wrong = invoke("catalog", "diff", dearer, "not_there.yaml")
    assert isinstance(wrong.exception, InvalidInput)


def test_offers_are_shown_with_plans_and_prices() -> None:
    invoke("catalog", "apply", str(EXAMPLES / "catalogs" / "features.yaml"))
    plans, usage, meters, coupons, add_ons = invoke("catalog", "show").stdout.split("\n\n")
    assert "pro,USD 12.00; CNY 88.00,USD 120.00; CNY 880.00,basic_chat; community_browse" in plans
    assert "pro,images,200,USD 2 for every 50 begun; CNY 14 for every 50 begun,500%" in usage
    assert "tokens,sum of input_tokens + output_tokens in llm.request,token" in meters
    assert "WELCOME,20% off fees,3 months" in coupons
    assert "priority_support,USD 19.00; CNY 138.00,month" in add_ons


def test_minimum_maximum_discount_and_taxes_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "offers.yaml"
    fee = "base_fee: {USD: 49.99, CNY: 349.00}\n"
    terms = (
        "    minimum: {USD: 60, CNY: 400}\n    maximum: {USD: 500, CNY: 3500}\n"
        "    discount: {amount: {USD: 5, CNY: 35}, on: usage}\n"
    )
    taxes = "taxes:\n  - {name: VAT, country: DE, rate: 19%, reverse_charge: true}\n"
    file.write_text(DEFAULT_CATALOG.read_text().replace(fee, fee + terms) + taxes)
    invoke("catalog", "apply", str(file))
    shown = invoke("catalog", "show").stdout
    assert 'USD 60.00; CNY 400.00,"USD 500.00; CNY 3,500.00"' in shown
    assert "USD 5, CNY 35 off usage" in shown
    assert 'VAT of DE,"19%, reverse charge"' in shown
