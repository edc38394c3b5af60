"""A file of subscriptions: rows that become plans over time, and what is said of wrong ones."""

from pathlib import Path

import pytest

from pipelines.plans.file_currencies import Currencies, said_currencies
from pipelines.plans.subscription_file import parse
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.subscription import Subscription
from tests.builders import a_subscription, llm_tokens
from tests.plan_lives import written

DEMO_FILE = Path(__file__).parents[4] / "examples/data/subscriptions.csv"
HEADER = "tenant,plan,starts_at,ends_at,currency,card"


def subscriptions(*rows: str, header: str = HEADER) -> list[Subscription]:
    return parse("\n".join([header, *rows]), "subs.csv", 1, llm_tokens())


def said(plans: str, tenant: str = "acme", currency: str = "USD", card: str = "") -> Subscription:
    """What a file says; without a card the tenant keeps the one it has."""
    return a_subscription(plans, tenant, currency, card=card)


def problems(*rows: str, header: str = HEADER) -> list[str]:
    with pytest.raises(InvalidInput) as invalid:
        subscriptions(*rows, header=header)
    return str(invalid.value).splitlines()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["acme,pro,2026-09-01"], said("pro 09-01")),
        (["acme,pro,2026-09-01T00:00:00Z,2026-10-11"], said("pro 09-01 .. 10-11")),
        (["acme,pro,2026-09-01T02:00:00+02:00"], said("pro 09-01")),
        (["acme,pro,2026-09-01T12:30:00"], said("pro 09-01 12:30")),
        (["acme,pro,2026-09-01 12:30:00Z"], said("pro 09-01 12:30")),
        (["acme,free,2026-09-01", "acme,pro,2026-10-16"], said("free 09-01, pro 10-16")),
        (
            ["acme,pro,2026-10-16", "", "acme,free,2026-09-01"],
            said("free 09-01, pro 10-16"),
        ),
        (
            ["acme,free,2026-09-01,2026-10-10", "acme,pro,2026-10-16"],
            said("free 09-01 .. 10-10, pro 10-16"),
        ),
        (  # a row ends where the tenant's next begins, whatever it says
            ["acme,free,2026-09-01,2026-12-01", "acme,pro,2026-10-16"],
            said("free 09-01, pro 10-16"),
        ),
        (["acme,pro,2026-09-01,,CNY"], said("pro 09-01", currency="CNY")),
        (
            ["acme,free,2026-09-01", "acme,pro,2026-10-16,,CNY,4000000000000002"],
            said("free 09-01, pro 10-16", currency="CNY", card="4000000000000002"),
        ),
        (["acme,pro,2026-09-01,,,cus_1/pm_2"], said("pro 09-01", card="cus_1/pm_2")),
        ([" acme , pro , 2026-09-01 ,,,,"], said("pro 09-01")),
    ],
)
def test_rows_of_a_tenant_are_one_subscription(rows: list[str], expected: Subscription) -> None:
    assert subscriptions(*rows) == [expected]


LIFE = "tenant,plan,starts_at,ends_at,interval,trial_days,anchor_day"


@pytest.mark.parametrize(
    ("rows", "expected", "anchor_day"),
    [
        (["acme,pro,2026-09-01,,,,"], "pro 09-01", 1),
        (["acme,pro,2026-09-01,,month,0,1"], "pro 09-01", 1),
        (["acme,pro,2026-09-01,,year,,"], "pro/year 09-01", 1),
        (["acme,pro,2026-09-16,,,,16"], "pro 09-16", 16),
        (["acme,pro,2026-09-01,,,14,"], "trial pro 09-01, pro 09-15", 1),
        (["acme,pro,2026-09-01,2026-09-15,,14,"], "trial pro 09-01 .. 09-15", 1),
        (["acme,pro,2026-09-01,2026-09-10,,14,"], "trial pro 09-01 .. 09-10", 1),
        (["acme,pro,2026-09-01,,,14,", "acme,free,2026-09-10,,,,31"],
         "trial pro 09-01, free 09-10", 31),
        (["acme,pro,2026-09-01,,,14,", "acme,free,2026-10-01,,year,,"],
         "trial pro 09-01, pro 09-15, free/year 10-01", 1),
    ],
)  # fmt: skip
def test_trials_years_and_anchors_may_be_said(
    rows: list[str], expected: str, anchor_day: int
) -> None:
    body = llm_tokens().model_dump() | {"anniversary_billing": True}
    for plan in ("free", "pro"):
        body["plans"][plan]["base_fee_yearly"] = {"USD": "499.90", "CNY": "3490.00"}
    catalog = Catalog.model_validate(body)
    [found] = parse("\n".join([LIFE, *rows]), "subs.csv", 1, catalog)
    assert (written(found), found.anchor_day) == (expected, anchor_day)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["a,pro,2026-09-01,,weekly,,"],
         "2: interval: 'weekly' is not known; write month or year, or nothing"),
        (["a,pro,2026-09-01,,,-1,"], "2: trial_days: '-1' is not a number from 0 to 366"),
        (["a,pro,2026-09-01,,,,32"], "2: anchor_day: '32' is not a number from 1 to 31"),
        (["a,pro,2026-09-01,,,,16"],
         "2: anchor_day: the price list bills by calendar months; "
         "write `anniversary_billing: true` in it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_them_is_told(rows: list[str], problem: str) -> None:
    assert problems(*rows, header=LIFE) == [f"subs.csv:{problem}"]


def test_subscriptions_are_ordered_by_tenant_and_columns_may_be() -> None:
    found = subscriptions(
        "pro,2026-09-01,b", "free,2026-09-01,a", header="\ufeffplan,starts_at,tenant"
    )
    assert found == [said("free 09-01", "a"), said("pro 09-01", "b")]


def test_the_demos_file_is_good() -> None:
    found = parse(DEMO_FILE.read_text(), DEMO_FILE.name, 3, llm_tokens())
    assert len(found) == 175
    assert {segment.catalog_version for s in found for segment in s.segments} == {3}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([",pro,2026-09-01"], "2: tenant: it is empty; write the tenant as its events name it"),
        (["t" * 201 + ",pro,2026-09-01"], "2: tenant: it has 201 characters; at most 200"),
        (["a,team,2026-09-01"],
         "2: plan: 'team' is not in the price list; there are free, pro, enterprise"),
        (["a,pro,"],
         "2: starts_at: '' is not a time; write it like 2026-10-01 or 2026-10-01T12:00:00Z"),
        (["a,pro,01.09.2026"],
         "2: starts_at: '01.09.2026' is not a time; "
         "write it like 2026-10-01 or 2026-10-01T12:00:00Z"),
        (["a,pro,2026-09-01,2026-09-31"],
         "2: ends_at: '2026-09-31' is not a time; "
         "write it like 2026-10-01 or 2026-10-01T12:00:00Z"),
        (["a,pro,2026-09-01T00:00:00.5Z"],
         "2: starts_at: '2026-09-01T00:00:00.5Z' is not a whole second; plans change at seconds"),
        (["a,pro,2026-09-01,2026-09-01"],
         "2: ends_at: '2026-09-01' is not after 2026-09-01T00:00:00Z; the end is exclusive"),
        (["a,pro,2026-09-01,,EUR"],
         "2: currency: 'EUR' is not in the price list; there are USD, CNY"),
        (["a,pro,2026-09-01,,,4242"],
         "2: card: '4242' is not a card; write 12 to 19 digits, or cus_…/pm_… for Stripe"),
        (["a,pro,2026-09-01,,,,x"], "2: row: 'x' is beyond the last column; remove it"),
        (["a,pro,2026-09-01", "b,pro,2026-09-01", "a,free,2026-09-01"],
         "4: starts_at: the same time as in line 2; only one plan can begin then"),
        (["a,pro,2026-09-01,,CNY", "a,free,2026-10-01,,USD"],
         "3: currency: 'USD' differs from line 2; write one for the tenant"),
    ],
)  # fmt: skip
def test_an_error_names_line_column_reason_and_remedy(rows: list[str], problem: str) -> None:
    assert problems(*rows) == [f"subs.csv:{problem}"]


def test_all_errors_are_told_in_the_order_of_lines() -> None:
    found = problems("a,team,yesterday", "b,pro,2026-09-01", ",pro,2026-09-01")
    assert [line.split(" ")[0] for line in found] == ["subs.csv:2:", "subs.csv:2:", "subs.csv:4:"]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("tenant,plan", "starts_at: the column is missing"),
        ("tenant,plan,starts_at,colour", "colour: not a known column"),
        ("tenant,plan,starts_at,plan", "plan: the column is there more than once; keep one"),
        ("", "tenant: the column is missing"),
    ],
)
def test_a_wrong_header_is_told(header: str, problem: str) -> None:
    assert any(line.startswith(f"subs.csv:1: {problem}") for line in problems(header=header))


def test_a_price_list_without_dollars_asks_for_the_currency() -> None:
    body = llm_tokens().model_dump(mode="json")
    catalog = Catalog.model_validate(body | {"currencies": ["CNY"]})
    with pytest.raises(InvalidInput, match="2: currency: it is empty; write one of CNY"):
        parse("tenant,plan,starts_at\na,pro,2026-09-01", "subs.csv", 1, catalog)


def of_known(row: str, catalog: Catalog | None = None, **stay: str) -> str:
    """What a file makes of acme, who was billed in CNY; `stay` says why that stays."""
    text = f"tenant,plan,starts_at,currency\n{row}"
    known = Currencies({"acme": "CNY"}, stay)
    [found] = parse(text, "subs.csv", 2, catalog or llm_tokens(), known)
    return found.currency


def test_a_known_tenant_is_billed_in_what_it_was() -> None:
    assert of_known("acme,pro,2026-09-01,") == of_known("acme,pro,2026-09-01,CNY") == "CNY"
    why = "2: currency: acme is billed in CNY, and stays so: the credit 'k' is in it; write CNY"
    with pytest.raises(InvalidInput, match=why):
        of_known("acme,pro,2026-09-01,USD", acme="the credit 'k' is in it")
    assert of_known("acme,pro,2026-09-01,USD") == "USD"
    body = llm_tokens().model_dump(mode="json") | {"currencies": ["USD"]}
    with pytest.raises(InvalidInput, match="2: currency: 'CNY' is not in the price list"):
        of_known("acme,pro,2026-09-01,", Catalog.model_validate(body))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\ufefftenant, currency\n a,CNY\nb,\n\na,\nc", {"a": "CNY", "b": "", "c": ""}),
        ("plan\npro", {}),
        ("", {}),
    ],
)
def test_who_is_in_a_file_is_known_before_it_is_read(text: str, said: dict[str, str]) -> None:
    assert said_currencies(text) == said
