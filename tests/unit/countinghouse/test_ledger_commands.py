"""`catalog`, `subscriptions`, `entitlements` and `invoices` on a ledger in a temporary folder."""

import json
from pathlib import Path

import pytest

from countinghouse.cli.nearest import nearest
from countinghouse.init import DEFAULT_CATALOG
from countinghouse.settings import Settings
from schemas.errors import BillingError, DependencyUnreachable, InvalidInput, NotFound
from schemas.reversal import Reversal, ReversalKind, ReversalState
from stores.ledger import Ledger, connect
from tests.unit.countinghouse.commands import invoke, run, run_json
from tests.unit.stores.ledger.builders import NOW, a_draft, a_payment, finalized

SUBSCRIPTIONS = """\
tenant,plan,starts_at
acme,free,2026-10-01
acme,pro,2026-10-16
bolt,enterprise,2026-10-01
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and a price list in its ledger."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    run("catalog", "apply", str(DEFAULT_CATALOG))
    return tmp_path


def ledger() -> Ledger:
    return connect(Settings().ledger_url)


@pytest.fixture
def subscribed(home: Path) -> Path:
    file = home / "subscriptions.csv"
    file.write_text(SUBSCRIPTIONS)
    run("subscriptions", "apply", str(file))
    return file


def test_a_price_list_is_checked_without_a_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path / "nothing"))
    checked = run_json("catalog", "check", str(DEFAULT_CATALOG))
    assert checked["plans"] == ["free", "pro", "enterprise"]
    assert not (tmp_path / "nothing").exists()


def test_a_wrong_price_list_is_told_by_line_and_not_applied(home: Path) -> None:
    file = home / "wrong.yaml"
    file.write_text(DEFAULT_CATALOG.read_text().replace("hard_limit: 150%", "hard_limit: 50%"))
    for command in ("check", "apply"):
        with pytest.raises(InvalidInput, match=r"wrong.yaml:\d+:\d+: plans.pro"):
            run("catalog", command, str(file))
    assert run_json("catalog", "show")["version"] == 1


def test_applying_the_same_price_list_changes_nothing() -> None:
    applied = run_json("catalog", "apply", str(DEFAULT_CATALOG))
    assert applied == {"version": 1, "changed": False}
    assert "nothing changed" in run("catalog", "apply", str(DEFAULT_CATALOG))


def test_a_price_list_is_shown_as_on_a_price_tag() -> None:
    plans, usage, meters, costs = run("catalog", "show").split("\n\n")
    assert plans.splitlines()[::2] == ["plan,base_fee", "pro,USD 49.99; CNY 349.00"]
    assert usage.splitlines()[0] == "plan,meter,included,overage,hard_limit,alerts"
    pro = 'tokens,1000000,"USD 8 per 1,000,000; CNY 56 per 1,000,000",150%,"80%, 100%, 120%"'
    assert usage.splitlines()[2] == f"pro,{pro}"
    assert "tokens,sum of input_tokens + output_tokens in llm.request,token" in meters
    assert 'input_tokens,"USD 3 per 1,000,000"' in costs
    with pytest.raises(NotFound, match="no version 7"):
        run("catalog", "show", "--version", "7")


def test_subscriptions_are_applied_once(subscribed: Path) -> None:
    again = run_json("subscriptions", "apply", str(subscribed))
    assert again == {"created": 0, "changed": 0, "unchanged": 2}
    assert run("subscriptions", "apply", str(subscribed)) == "0 created, 0 changed, 2 unchanged\n"
    plans = [
        (row["tenant"], row["plan"], row["ends_at"]) for row in run_json("subscriptions", "list")
    ]
    assert plans == [
        ("acme", "free", "2026-10-16T00:00:00Z"),
        ("acme", "pro", None),
        ("bolt", "enterprise", None),
    ]


def test_subscriptions_are_listed_by_tenant_and_month(subscribed: Path) -> None:
    by_tenant = run_json("subscriptions", "list", "--tenant", "acme", "--month", "2026-11")
    assert [row["plan"] for row in by_tenant] == ["pro"]
    assert run_json("subscriptions", "list", "--month", "2026-09") == []
    with pytest.raises(InvalidInput, match="--month: 'May' is not a month"):
        run("subscriptions", "list", "--month", "May")


def test_a_card_is_never_shown_whole(subscribed: Path) -> None:
    assert "4242424242424242" not in run("subscriptions", "list")


def test_entitlements_are_shown_as_absolute_numbers(subscribed: Path) -> None:
    timeline = run_json("entitlements", "show", "acme")["timeline"]
    entry = next(each for each in timeline if each["from"] == "2026-10-16T00:00:00Z")
    assert entry["meters"]["tokens"]["included"] == "564516.129032"
    row = "2026-10-16T00:00:00Z,pro,tokens,billing_period,564516.129032"
    assert row in run("entitlements", "show", "acme")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("entitlements", "show", "acne"), r"'acne' has no subscription; did you mean acme\?"),
        (("subscriptions", "list", "--tenant", "bold"), r"did you mean bolt\?"),
        (("invoices", "list", "--tenant", "acm"), r"did you mean acme\?"),
        (("invoices", "show", "2026-10-000003"), r"did you mean 2026-10-00000[12]"),
        (("invoices", "explain", "zzz"), r"no invoice 'zzz'; see `countinghouse invoices list`"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    subscribed: Path, arguments: tuple[str, ...], message: str
) -> None:
    finalized(ledger(), a_draft("acme"), a_draft("bolt"))
    with pytest.raises(NotFound, match=message):
        run(*arguments)


def test_invoices_are_listed_and_shown(subscribed: Path) -> None:
    finalized(ledger(), a_draft("acme", 123456, -56), a_draft("bolt", 0))
    listed = run_json("invoices", "list", "--month", "2026-10")
    assert [(row["number"], row["total"], row["state"]) for row in listed] == [
        ("2026-10-000001", "1234.00", "finalized"),
        ("2026-10-000002", "0.00", "paid"),
    ]
    assert [row["tenant"] for row in run_json("invoices", "list", "--state", "paid")] == ["bolt"]
    shown = run_json("invoices", "show", "2026-10-000001")
    assert [line["amount"] for line in shown["lines"]] == ["1234.56", "-0.56"]
    assert run("invoices", "show", "2026-10-000001").splitlines()[1].endswith(",1234.56")


def test_what_went_back_is_shown_with_its_invoice(subscribed: Path) -> None:
    books = ledger()
    [invoice] = finalized(books, a_draft("acme", 5000))
    attempt = books.open_attempt(invoice, "sandbox", NOW)
    assert attempt is not None
    books.record_attempt(attempt.id, a_payment(attempt, "succeeded", reference="pay_1"), NOW)
    refund = ("pay_1", "re_1", ReversalKind.REFUND, ReversalState.SETTLED, 2000, "USD", NOW)
    books.record_reversals(attempt.id, [Reversal(*refund)], NOW)
    shown = run_json("invoices", "show", "2026-10-000001")
    assert (shown["state"], shown["reversed"], shown["due"]) == ("paid", "20.00", "50.00")
    assert shown["reversals"] == [
        {
            "kind": "refund",
            "state": "settled",
            "amount": "20.00",
            "made_at": "2026-11-01T02:00:00Z",
            "provider_id": "re_1",
            "payment": "pay_1",
        }
    ]
    [listed] = run_json("invoices", "list", "--state", "paid")
    assert (listed["total"], listed["reversed"]) == ("50.00", "20.00")


def test_an_invoice_is_explained(subscribed: Path) -> None:
    finalized(ledger(), a_draft("acme"))
    told = invoke("invoices", "explain", "2026-10-000001")
    assert "Invoice 2026-10-000001 of acme" in told.stdout
    assert told.stdout.startswith("computed again from the price list, the amounts differ")
    explained = invoke("invoices", "explain", "2026-10-000001", "--json")
    assert "THE LINES DIFFER" in json.loads(explained.stdout)["explanation"]
    assert (told.exit_code, explained.exit_code) == (1, 1)


def test_invoices_are_written_as_pages(subscribed: Path, home: Path) -> None:
    finalized(ledger(), a_draft("acme"))
    printed = run("invoices", "page", "2026-10-000001", "--into", "pages")
    assert printed == "pages/2026-10-000001.html\n"
    page = (home / "pages" / "2026-10-000001.html").read_bytes()
    assert b"<h1>Invoice 2026-10-000001</h1>" in page
    assert b"Recomputed from the price list" in page
    run("invoices", "page", "2026-10-000001", "--into", "pages")
    assert (home / "pages" / "2026-10-000001.html").read_bytes() == page
    (home / "file").touch()
    with pytest.raises(InvalidInput, match=r"file/2026-10-000001\.html cannot be written"):
        run("invoices", "page", "2026-10-000001", "--into", "file")
    with pytest.raises(NotFound, match="no invoice 'zzz'"):
        run("invoices", "page", "zzz")


@pytest.mark.parametrize(
    "arguments",
    [
        ("catalog", "show"),
        ("subscriptions", "list"),
        ("entitlements", "show", "acme"),
        ("invoices", "list"),
    ],
)
def test_without_a_ledger_the_remedy_is_told(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", "nowhere")
    with pytest.raises(DependencyUnreachable, match="run `countinghouse up`") as raised:
        run(*arguments)
    assert isinstance(raised.value, BillingError)


def test_of_very_many_names_the_neighbours_in_order_are_told() -> None:
    names = [f"2026-10-{n:06}" for n in range(1, 20_001)]
    assert nearest("2026-10-000500x", names) == [
        "2026-10-000500",
        "2026-10-000501",
        "2026-10-000502",
    ]
