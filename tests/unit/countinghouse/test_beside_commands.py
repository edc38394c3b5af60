"""`tenants`, `coupons`, `add-ons`, `items` and `credits` on a ledger in a temporary folder."""

from pathlib import Path

import pytest

from countinghouse.init import DEFAULT_CATALOG
from countinghouse.settings import Settings
from schemas.errors import Conflict, InvalidInput, NotFound
from stores.ledger import Ledger, connect
from tests.unit.countinghouse.commands import run, run_json

OFFERS = """
coupons:
  WELCOME: {percent: 20%, lasts: 3 months}
add_ons:
  seats: {fee: {USD: 5.00, CNY: 30.00}}
taxes:
  - {name: VAT, country: DE, rate: 19%}
"""

IN_DOLLARS = """
name: dollars
currencies: [USD]
default_plan: pro
meters:
  tokens: {event_type: llm.request, aggregation: sum, value: [input_tokens, output_tokens]}
plans:
  pro: {base_fee: {USD: 49.99}, meters: {}}
coupons:
  WELCOME: {percent: 20%, lasts: 3 months}
  FIVE: {amount: {USD: 5.00}, lasts: once}
add_ons:
  seats: {fee: {USD: 5.00}}
  audit: {fee: {USD: 600.00}, interval: year}
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger with a price list that has offers, and two tenants."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    prices = tmp_path / "prices.yaml"
    prices.write_text(DEFAULT_CATALOG.read_text() + OFFERS)
    run("catalog", "apply", str(prices))
    plans = tmp_path / "plans.csv"
    plans.write_text(
        "tenant,plan,starts_at,currency\nacme,pro,2026-10-01,USD\nbolt,pro,2026-10-01,CNY\n"
    )
    run("subscriptions", "apply", str(plans))


def ledger() -> Ledger:
    return connect(Settings().ledger_url)


def actions(tenant: str) -> list[str]:
    return [line["action"] for line in ledger().audit_log(tenant)]


REPEATED: list[tuple[list[str], str]] = [
    (["coupons", "redeem", "acme", "WELCOME"], "coupon.redeemed"),
    (["coupons", "redeem", "acme", "WELCOME", "--from", "2026-10-05"], "coupon.redeemed"),
    (["add-ons", "book", "acme", "seats", "--quantity", "3"], "add_on.booked"),
    (["add-ons", "book", "acme", "seats", "--from", "2026-10-05"], "add_on.booked"),
    (["items", "add", "acme", "2026-10", "99.00", "Setup"], "item.added"),
    (["credits", "grant", "acme", "30", "--key", "pay_1"], "credit.granted"),
]


@pytest.mark.parametrize(("command", "action"), REPEATED)
def test_a_command_may_be_repeated(command: list[str], action: str) -> None:
    assert [run_json(*command)["result"] for _ in range(3)] == ["added", "unchanged", "unchanged"]
    assert actions("acme").count(action) == 1
    assert "(unchanged)" in run(*command)


def test_a_coupon_lasts_whole_billing_periods() -> None:
    run("coupons", "redeem", "acme", "WELCOME", "--from", "2026-10-05")
    [row] = run_json("coupons", "list", "--tenant", "acme")
    assert row == {
        "tenant": "acme",
        "coupon": "WELCOME",
        "starts_at": "2026-10-05T00:00:00Z",
        "ends_at": "2027-01-01T00:00:00Z",
        "catalog_version": 1,
    }
    with pytest.raises(Conflict, match="there already"):
        run("coupons", "redeem", "acme", "WELCOME", "--from", "2026-10-06")


def test_an_add_on_is_booked_and_ended() -> None:
    run("add-ons", "book", "acme", "seats", "--quantity", "2", "--from", "2026-10-11")
    run("add-ons", "book", "acme", "seats", "--from", "2026-10-20", "--key", "more")
    run("add-ons", "end", "acme", "more", "--at", "2026-12-01")
    rows = run_json("add-ons", "list")
    assert [(row["key"], row["quantity"], row["ends_at"]) for row in rows] == [
        ("seats", 2, None),
        ("more", 1, "2026-12-01T00:00:00Z"),
    ]


def test_what_the_newest_price_list_dropped_is_refused_and_a_share_is_not() -> None:
    """bolt is billed in yuan, of which the second price list knows nothing."""
    run("add-ons", "book", "bolt", "seats")
    Path("dollars.yaml").write_text(IN_DOLLARS)
    run("catalog", "apply", "dollars.yaml")
    assert run_json("add-ons", "book", "bolt", "seats")["result"] == "unchanged"
    assert run_json("coupons", "redeem", "bolt", "WELCOME")["result"] == "added"
    remedy = "is billed in CNY.*; give it an amount in CNY in the price list"
    for command in (["coupons", "redeem", "bolt", "FIVE"], ["add-ons", "book", "bolt", "audit"]):
        with pytest.raises(InvalidInput, match=remedy):
            run(*command)
        command[2] = "acme"
        run(*command)


def test_items_are_in_the_tenants_currency() -> None:
    run("items", "add", "bolt", "2026-10", "99.00", "Setup")
    [row] = run_json("items", "list")
    assert (row["amount"], row["key"]) == ("CNY 99.00", "2026-10 Setup")


def test_a_balance_says_what_is_left_and_what_expires_when() -> None:
    run("credits", "grant", "acme", "30", "--key", "a", "--from", "2020-01-01")
    run(
        "credits",
        "grant",
        "acme",
        "20",
        "--key",
        "b",
        "--from",
        "2020-01-01",
        "--expires",
        "2021-01-01",
    )
    rows = run_json("credits", "list", "--tenant", "acme")
    assert [(row["key"], row["expired"], row["left"], row["expires_at"]) for row in rows] == [
        ("b", "USD 20.00", "USD 0.00", "2021-01-01T00:00:00Z"),
        ("a", "USD 0.00", "USD 30.00", None),
    ]


def test_a_profile_is_set_piece_by_piece() -> None:
    assert run("tenants", "set", "acme", "--country", "US", "--region", "CA") == (
        "acme: US-CA, no tax id\n"
    )
    assert run_json("tenants", "set", "acme", "--tax-id", "X1") == {
        "tenant": "acme", "country": "US", "region": "CA", "tax_id": "X1", "changed": True,
    }  # fmt: skip
    assert run("tenants", "set", "acme", "--region", "none") == "acme: US, tax id X1\n"
    assert run("tenants", "show", "bolt") == "bolt: no country, no tax id\n"


def test_a_card_is_set_and_shown_by_its_end() -> None:
    command = ["tenants", "card", "acme", "cus_1/pm_card9876"]
    assert run(*command) == "acme: card …9876\n"
    assert run_json(*command) == {"tenant": "acme", "card": "…9876", "changed": False}
    assert ledger().subscribed("acme").subscription.card == "cus_1/pm_card9876"


WRONG: list[tuple[list[str], type[Exception], str]] = [
    (["coupons", "redeem", "acm", "WELCOME"], NotFound, "did you mean acme"),
    (["coupons", "redeem", "acme", "OTHER"], InvalidInput, "'OTHER' is not a coupon; .* WEL"),
    (["add-ons", "book", "acme", "chairs"], InvalidInput, "'chairs' is not an add-on; .* seats"),
    (["items", "add", "acme", "May", "1", "Setup"], InvalidInput, "MONTH: 'May' is not a month"),
    (["items", "add", "acme", "2026-10", "-1", "Setup"], InvalidInput, "AMOUNT: -1 is not more"),
    (["items", "add", "acme", "2026-10", "10000000000000.01", "S"], InvalidInput,
     "AMOUNT: 10000000000000.01 is more than can be billed"),
    (["add-ons", "book", "acme", "seats", "--quantity", "10000000000000"], InvalidInput,
     "--quantity: 10000000000000 cost more than can be billed"),
    (["items", "add", "acme", "2026-10", "0.001", "S"], InvalidInput, "AMOUNT: 0.001 has more"),
    (["items", "add", "acme", "2026-10", "1", " "], InvalidInput, "DESCRIPTION: it is empty"),
    (["credits", "grant", "acme", "1", "--key", "k", "--expires", "2000-01-01"], InvalidInput,
     "would expire before"),
    (["credits", "grant", "acme", "1", "--key", "k", "--expires", "soon"], InvalidInput,
     "--expires: 'soon' is not a time"),
    (["tenants", "set", "acme", "--country", "Germany"], InvalidInput, "two letters, such as DE"),
    (["tenants", "card", "acme", "4242"], InvalidInput, "CARD: '4242' is not a card; write 12 to"),
    (["tenants", "card", "acm", "cus_1/pm_1"], NotFound, "did you mean acme"),
    (["tenants", "set", "acme", "--region", "CA"], InvalidInput, "set --country as well"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "error", "text"), WRONG)
def test_what_is_wrong_is_said_with_a_remedy(
    command: list[str], error: type[Exception], text: str
) -> None:
    if "-1" in command:
        command = [*command[:2], "--", *command[2:]]
    with pytest.raises(error, match=text):
        run(*command)
