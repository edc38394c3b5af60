"""`countinghouse subscriptions …` on a ledger in a temporary folder, on 11 October 2026, 09:30."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from countinghouse.init import DEFAULT_CATALOG
from countinghouse.settings import Settings
from schemas.errors import BillingError, ChangeRefused, InvalidInput, NotFound, PeriodClosed
from schemas.extras import CreditGrant
from schemas.vector import Vector
from stores.ledger import Ledger, connect
from tests.builders import units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.plan_lives import when, written
from tests.unit.countinghouse.commands import run
from tests.unit.stores.ledger.builders import a_draft, prepare_month

AS_OF = Vector({(1, 0): 10})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger with a price list, and a clock that stands."""
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    it_is("10-11 09:30", monkeypatch)
    by_year = "\n    base_fee_yearly: {USD: 499.90, CNY: 3490.00}\n"
    prices = tmp_path / "prices.yaml"
    prices.write_text(DEFAULT_CATALOG.read_text().replace("349.00}\n", "349.00}" + by_year))
    run("catalog", "apply", str(prices))
    return tmp_path


def it_is(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("countinghouse.init.now_ms", lambda: when(moment))


def subscriptions(*arguments: str) -> str:
    return run("subscriptions", *arguments)


def subscriptions_json(*arguments: str) -> Any:
    return json.loads(subscriptions(*arguments, "--json"))


def ledger() -> Ledger:
    return connect(Settings().ledger_url)


def timeline(tenant: str = "acme") -> str:
    return written(ledger().subscribed(tenant).subscription)


@pytest.fixture
def acme(home: Path) -> None:
    subscriptions("start", "acme", "pro", "--at", "2026-09-01")


def test_a_new_tenant_starts_with_a_trial() -> None:
    told = subscriptions("start", "acme", "pro", "--trial-days", "14", "--currency", "CNY")
    assert told == "acme: starts a trial of pro at 2026-10-11T09:30:00Z; it is trialing now\n"
    assert timeline() == "trial pro 10-11 09:30, pro 10-25 09:30"
    assert ledger().subscribed("acme").subscription.currency == "CNY"


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("arguments", "after"),
    [
        (("change", "acme", "enterprise"), "pro 09-01, enterprise 10-11 09:30"),
        (("change", "acme", "free", "--at", "period-end"), "pro 09-01, free 11-01"),
        (("change", "acme", "free", "--at", "2026-12-24"), "pro 09-01, free 12-24"),
        (("change", "acme", "pro", "--interval", "year"), "pro 09-01, pro/year 10-11 09:30"),
        (("interval", "acme", "year"), "pro 09-01, pro/year 11-01"),
        (("cancel", "acme"), "pro 09-01 .. 11-01 cancelled"),
        (("cancel", "acme", "--at", "now"), "pro 09-01 .. 10-11 09:30 cancelled"),
        (("pause", "acme"), "pro 09-01, paused pro 10-11 09:30"),
        (("pause", "acme", "--at", "2026-10-20", "--until", "2026-11-05T12:00:00+02:00"),
         "pro 09-01, paused pro 10-20, pro 11-05 10:00"),
    ],
)  # fmt: skip
def test_a_command_is_carried_out(arguments: tuple[str, ...], after: str) -> None:
    assert subscriptions_json(*arguments)["changed"]
    assert timeline() == after


def test_a_life_from_trial_to_a_new_start(monkeypatch: pytest.MonkeyPatch) -> None:
    subscriptions("start", "acme", "pro", "--trial-days", "14", "--until", "2027-02-01")
    subscriptions("extend-trial", "acme", "2026-10-31")
    subscriptions("convert-trial", "acme", "--at", "2026-10-20")
    it_is("10-21", monkeypatch)
    subscriptions("pause", "acme")
    subscriptions("resume", "acme", "--at", "2026-11-01")
    assert timeline() == (
        "trial pro 10-11 09:30, pro 10-20, paused pro 10-21, pro 11-01 .. 2027-02-01"
    )
    scheduled = subscriptions_json("scheduled", "acme")
    assert [(each["at"], each["what"]) for each in scheduled] == [
        ("2026-11-01T00:00:00Z", "resumed"),
        ("2027-02-01T00:00:00Z", "expires"),
    ]
    subscriptions("withdraw", "acme", "2027-02-01")
    subscriptions("cancel", "acme", "--at", "2026-11-15")
    subscriptions("reactivate", "acme")
    subscriptions("cancel", "acme", "--at", "2026-11-15")
    it_is("12-01", monkeypatch)
    assert subscriptions_json("advance") == {"recorded": 2}
    assert subscriptions_json("advance") == {"recorded": 0}
    subscriptions("start", "acme", "free", "--currency", "USD")
    states = [(row["from"], row["to"]) for row in subscriptions_json("history", "acme")]
    moved = [pair for pair in states if pair[0] != pair[1]]
    assert moved == [
        (None, "trialing"),
        ("trialing", "active"),
        ("active", "paused"),
        ("paused", "active"),
        ("active", "cancelled"),
        ("cancelled", "active"),
    ]


@pytest.mark.usefixtures("acme")
def test_the_history_says_who_when_and_why() -> None:
    subscriptions(
        "cancel", "acme", "--who", "ada", "--why", "moves away", "--key", "ticket-7"
    )  # fmt: skip
    last = subscriptions_json("history", "acme")[-1]
    assert last == {
        "recorded_at": "2026-10-11T09:30:00Z",
        "effective_at": "2026-11-01T00:00:00Z",
        "command": "cancel",
        "what": "cancelled at 2026-11-01T00:00:00Z",
        "from": "active",
        "to": "active",
        "who": "ada",
        "why": "moves away",
        "key": "ticket-7",
    }
    table = subscriptions("history", "acme").splitlines()
    assert table[0] == "recorded_at,effective_at,command,what,from,to,who,why,key"
    assert len(table) == 3


@pytest.mark.usefixtures("acme")
def test_a_repeated_command_says_that_it_was_done() -> None:
    first = subscriptions_json("cancel", "acme")
    again = subscriptions_json("cancel", "acme")
    assert (first["changed"], again["changed"]) == (True, False)
    assert again["key"] == first["key"]
    told = subscriptions("cancel", "acme")
    assert told == (
        "acme: nothing changed; done at 2026-10-11T09:30:00Z already:"
        " cancelled at 2026-11-01T00:00:00Z\n"
    )


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("cancel", "acne"), NotFound, r"'acne' has no subscription; did you mean acme\?"),
        (("history", "acne"), NotFound, r"did you mean acme\?"),
        (("scheduled", "acne"), NotFound, r"did you mean acme\?"),
        (("preview", "cancel", "acne"), NotFound, r"did you mean acme\?"),
        (("change", "acme", "team"), InvalidInput, "'team' is not in price list 1; there are free"),
        (("change", "acme", "pro"), ChangeRefused, "acme is active: `change` .* change nothing"),
        (("resume", "acme"), ChangeRefused, "acme is active: it is not paused"),
        (("cancel", "acme", "--at", "soon"), InvalidInput, "--at: 'soon' is not a time; write it"),
        (("pause", "acme", "--until", "May"), InvalidInput, "--until: 'May' is not a time"),
        (("interval", "acme", "week"), InvalidInput, "'week' is not an interval of payment"),
        (("start", "bolt", "pro", "--anchor", "moon"), InvalidInput,
         "--anchor: 'moon' is not known"),
        (("start", "bolt", "pro", "--anchor", "anniversary"), InvalidInput, "by calendar months"),
        (("start", "bolt", "pro", "--currency", "EUR"), InvalidInput,
         "no EUR; say --currency: USD"),
        (("start", "acme", "pro", "--currency", "CNY"), InvalidInput, "acme has another currency"),
        (("start", "acme", "pro", "--card", "cus_1/pm_1"), InvalidInput,
         "leave --card out, and run `countinghouse tenants card acme CARD`"),
        (("start", "bolt", "pro", "--card", "4242"), InvalidInput,
         "--card: '4242' is not a card; write 12 to 19 digits, or cus_…/pm_… for Stripe"),
        (("start", "b" * 201, "pro"), InvalidInput, "a tenant's name has 1 to 200 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_with_a_remedy(
    arguments: tuple[str, ...], kind: type[BillingError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        subscriptions(*arguments)
    assert timeline() == "pro 09-01"


@pytest.mark.usefixtures("acme")
def test_a_closed_month_is_changed_only_if_it_is_said() -> None:
    books = ledger()
    prepare_month(books, [a_draft("acme", month="2026-09")], "2026-09")
    books.finalize("2026-09", "Example Ltd", when("10-02"), when("10-16"))
    order = ("change", "acme", "free", "--at", "2026-09-20")
    with pytest.raises(PeriodClosed, match="September 2026 is closed"):
        subscriptions(*order)
    subscriptions(*order, "--in-closed-months")
    assert timeline() == "pro 09-01, free 09-20"


@pytest.mark.usefixtures("acme")
def test_all_subscribers_of_a_plan_are_moved_to_another_price_list(home: Path) -> None:
    subscriptions("start", "bolt", "free")
    dearer = home / "dearer.yaml"
    dearer.write_text((home / "prices.yaml").read_text().replace("49.99", "59.99"))
    run("catalog", "apply", str(dearer))
    order = ("move", "pro", "--from", "1", "--to", "2", "--key", "prices-of-2027")
    assert subscriptions(*order) == "1 moved, 0 moved before\n"
    assert subscriptions(*order) == "0 moved, 1 moved before\n"
    assert timeline() == "pro 09-01, pro@2 11-01"
    assert timeline("bolt") == "free 10-11 09:30"


def test_a_file_may_say_trials_and_years_and_the_list_shows_them(home: Path) -> None:
    file = home / "subscriptions.csv"
    file.write_text("tenant,plan,starts_at,interval,trial_days\nacme,pro,2026-10-01,year,14\n")
    subscriptions("apply", str(file))
    rows = subscriptions_json("list")
    assert [(row["phase"], row["interval"], row["state"]) for row in rows] == [
        ("trial", "year", "trialing"),
        ("active", "year", "trialing"),
    ]
    assert subscriptions_json("history", "acme")[0]["command"] == "apply"


def test_a_file_that_says_no_card_leaves_a_tenant_its_own(home: Path) -> None:
    saved = {"acme": "cus_1/pm_1", "bolt": "cus_2/pm_2"}
    files = {
        "cards": "tenant,plan,starts_at,card\nacme,pro,2026-10-01,cus_1/pm_1\n"
        "bolt,pro,2026-10-01,cus_2/pm_2\n",
        "no_column": "tenant,plan,starts_at\nacme,free,2026-10-01\n",
        "empty": "tenant,plan,starts_at,card\nbolt,free,2026-10-01,\n",
    }
    for name, text in files.items():
        (home / name).write_text(text)
        subscriptions("apply", str(home / name))
        stored = {each.tenant: each.card for each in ledger().subscriptions()}
        assert stored == saved, name
    assert (timeline("acme"), timeline("bolt")) == ("free 10-01", "free 10-01")


def test_a_file_that_says_no_currency_leaves_a_tenant_its_own(home: Path) -> None:
    subscriptions("start", "acme", "pro", "--currency", "CNY")
    file = home / "subscriptions.csv"
    file.write_text("tenant,plan,starts_at\nacme,free,2026-10-11\nbolt,free,2026-10-11\n")
    subscriptions("apply", str(file))
    assert ledger().currencies(["acme", "bolt", "new"]) == {"acme": "CNY", "bolt": "USD"}


def test_a_mistyped_currency_is_put_right_until_something_is_in_it(home: Path) -> None:
    file = home / "subscriptions.csv"
    for currency in ("CNY", "USD"):
        file.write_text(f"tenant,plan,starts_at,currency\nacme,free,2026-10-11,{currency}\n")
        subscriptions("apply", str(file))
        assert ledger().currencies(["acme"]) == {"acme": currency}
    ledger().grant_credit(CreditGrant("acme", "gift", "USD", 100, 0), "ada")
    file.write_text("tenant,plan,starts_at,currency\nacme,free,2026-10-11,CNY\n")
    why = "2: currency: acme is billed in USD, and stays so: the credit 'gift' is in it"
    with pytest.raises(InvalidInput, match=why):
        subscriptions("apply", str(file))


@pytest.mark.usefixtures("acme")
def test_a_preview_shows_the_lines_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [
        Used("acme", meter, when("10-05"), units(1_500_000), 0, 1)
        for meter in ("tokens", "input_tokens")
    ]

    @contextmanager
    def usage_reader(_settings: Settings) -> Iterator[FakeWarehouse]:
        yield FakeWarehouse(used, AS_OF)

    monkeypatch.setattr("countinghouse.wiring.usage_reader", usage_reader)
    monkeypatch.setattr("countinghouse.wiring.usage_log", lambda _: FakeLog(AS_OF, AS_OF))
    order = ("preview", "change", "acme", "enterprise", "--at", "2026-10-11")
    found = subscriptions_json(*order)
    assert (found["what"], found["difference"]) == (
        "pro → enterprise at 2026-10-11T00:00:00Z",
        "97.62",
    )
    # 97.62 = 101.62 of fees, and 500,000 tokens that cost 4.00 are within the larger pool
    assert [(row["change"], row["amount"]) for row in found["lines"]] == [
        ("goes", "0.00"),
        ("goes", "4.00"),
        ("comes", "-33.86"),
        ("comes", "135.48"),
        ("comes", "0.00"),
    ]
    assert timeline() == "pro 09-01"
    assert "Pro unused, 11–31 October: 21 of 31 days of 49.99" in subscriptions(*order)
    started = subscriptions_json("preview", "start", "bolt", "pro")
    assert started["difference"] == started["lines"][0]["amount"] == "33.23"
    with pytest.raises(NotFound):
        ledger().subscribed("bolt")
