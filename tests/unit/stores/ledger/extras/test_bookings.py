"""Coupons, add-ons, items and profiles: kept once, told in the audit log, not for closed months."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipelines.invoices.draft_tables import drafts_of
from schemas.errors import Conflict, NotFound, PeriodClosed
from schemas.extras import BookedAddOn, OneOffItem, Redemption
from schemas.invoice import Invoice, InvoiceLine
from schemas.subscription import GOOD_CARD
from schemas.tax import Buyer
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    PERIOD,
    SELLER,
    a_closing,
    a_draft,
    a_subscription,
    at,
    prepare_month,
    rows_of,
)

REDEMPTION = Redemption("acme", "WELCOME", 1, at("2026-10-05"), at("2026-12-01"))
ADD_ON = BookedAddOn("acme", "seats", "seats", 1, 3, at("2026-10-11"))
ITEM = OneOffItem("acme", "setup", MONTH, "USD", 9900, "Setup")

Keep = Callable[[Ledger], str]
KEPT: list[tuple[str, Keep]] = [
    ("coupon.redeemed", lambda ledger: ledger.redeem(REDEMPTION, "ada")),
    ("add_on.booked", lambda ledger: ledger.book_add_on(ADD_ON, "ada")),
    ("item.added", lambda ledger: ledger.add_item(ITEM, "ada")),
]


@pytest.fixture(autouse=True)
def tenants(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme"), a_subscription("bolt")], NOW, "ada")


@pytest.mark.parametrize(("action", "keep"), KEPT)
def test_a_repeated_command_changes_nothing_and_is_audited_once(
    ledger: Ledger, action: str, keep: Keep
) -> None:
    assert [keep(ledger), keep(ledger)] == ["added", "unchanged"]
    [line] = [line for line in ledger.audit_log("acme") if line["action"] == action]
    assert line["who"] == "ada"


@pytest.mark.parametrize(
    "keep",
    [
        lambda ledger: ledger.redeem(replace(REDEMPTION, ends_ms=None), "ada"),
        lambda ledger: ledger.book_add_on(replace(ADD_ON, quantity=4), "ada"),
        lambda ledger: ledger.add_item(replace(ITEM, amount_minor=1), "ada"),
    ],
)
def test_a_key_stands_for_one_thing(ledger: Ledger, keep: Keep) -> None:
    for _, kept in KEPT:
        kept(ledger)
    with pytest.raises(Conflict, match=r"is there already with .*give this one another key"):
        keep(ledger)


def test_all_of_a_tenant_is_listed_and_read_by_the_close(ledger: Ledger) -> None:
    for _, keep in KEPT:
        keep(ledger)
    ledger.set_buyer("acme", Buyer("DE", None, "DE123"), "ada")
    assert ledger.redemptions("acme") == ledger.redemptions() == [REDEMPTION]
    assert (ledger.add_ons("acme"), ledger.add_ons("bolt")) == ([ADD_ON], [])
    assert ledger.items() == [ITEM]
    assert ledger.buyer("acme") == Buyer("DE", None, "DE123")
    extras = ledger.extras(MONTH)
    assert rows_of(extras.buyers) == [("acme", "DE", None, "DE123")]
    assert rows_of(extras.redemptions) == [
        ("acme", "WELCOME", 1, at("2026-10-05"), at("2026-12-01"))
    ]
    assert rows_of(extras.add_ons) == [("acme", "seats", "seats", 1, 3, at("2026-10-11"), None)]
    assert rows_of(extras.items) == [("acme", "setup", MONTH, "USD", 9900, "Setup")]


def test_the_close_reads_only_what_reaches_into_its_months(ledger: Ledger) -> None:
    for _, keep in KEPT:
        keep(ledger)
    september, february = ledger.extras("2026-09"), ledger.extras("2027-02")
    for extras in (september, february):
        assert rows_of(extras.redemptions) == rows_of(extras.items) == []
    assert (len(rows_of(september.add_ons)), len(rows_of(february.add_ons))) == (0, 1)


def test_an_unknown_tenant_has_nothing(ledger: Ledger) -> None:
    commands: list[Callable[[], object]] = [
        lambda: ledger.redeem(replace(REDEMPTION, tenant="ghost"), "ada"),
        lambda: ledger.book_add_on(replace(ADD_ON, tenant="ghost"), "ada"),
        lambda: ledger.add_item(replace(ITEM, tenant="ghost"), "ada"),
        lambda: ledger.set_buyer("ghost", Buyer("DE"), "ada"),
        lambda: ledger.buyer("ghost"),
        lambda: ledger.set_card("ghost", GOOD_CARD, "ada"),
    ]
    for command in commands:
        with pytest.raises(NotFound, match="no tenant 'ghost'"):
            command()


def test_a_profile_is_set_once_and_audited(ledger: Ledger) -> None:
    buyer = Buyer("US", "CA")
    assert [ledger.set_buyer("acme", buyer, "ada") for _ in range(2)] == [True, False]
    assert ledger.buyer("acme") == buyer
    assert len([line for line in ledger.audit_log("acme") if line["action"] == "tenant.set"]) == 1


def test_a_card_is_set_once_and_audited_without_its_number(ledger: Ledger) -> None:
    card = "cus_Ab12/pm_Xy9876"
    assert [ledger.set_card("acme", card, "ada") for _ in range(2)] == [True, False]
    cards = {each.tenant: each.card for each in ledger.subscriptions()}
    assert cards == {"acme": card, "bolt": GOOD_CARD}
    [line] = [line for line in ledger.audit_log("acme") if line["action"] == "tenant.card_set"]
    assert (line["who"], line["detail"]) == ("ada", '{"card":"…9876"}')


def test_an_add_on_ends_once_and_not_before_it_begins(ledger: Ledger) -> None:
    ledger.book_add_on(ADD_ON, "ada")
    ends = at("2026-11-01")
    assert [ledger.end_add_on("acme", "seats", ends, "ada") for _ in range(2)] == [True, False]
    assert ledger.add_ons("acme") == [replace(ADD_ON, ends_ms=ends)]
    with pytest.raises(Conflict, match="would end before it begins"):
        ledger.end_add_on("acme", "seats", ADD_ON.starts_ms, "ada")
    with pytest.raises(NotFound, match="no add-on 'other'"):
        ledger.end_add_on("acme", "other", ends, "ada")


def test_a_closed_month_takes_nothing_new(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    for _, keep in KEPT:
        with pytest.raises(PeriodClosed, match="2026-10 is closed"):
            keep(ledger)
    assert (ledger.items(), ledger.add_ons(), ledger.redemptions()) == ([], [], [])
    assert ledger.add_item(replace(ITEM, month="2026-11"), "ada") == "added"


def test_what_began_before_a_closed_month_would_reach_into_it(ledger: Ledger) -> None:
    """October is closed, and August was never opened."""
    august, september = at("2026-08-01"), at("2026-09-01")
    ledger.book_add_on(replace(ADD_ON, starts_ms=august), "ada")
    prepare_month(ledger, [])
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    commands: list[Callable[[], object]] = [
        lambda: ledger.redeem(replace(REDEMPTION, starts_ms=august, ends_ms=None), "ada"),
        lambda: ledger.book_add_on(replace(ADD_ON, key="more", starts_ms=august), "ada"),
        lambda: ledger.end_add_on("acme", "seats", september, "ada"),
    ]
    for command in commands:
        with pytest.raises(PeriodClosed, match="2026-10 is closed"):
            command()
    assert ledger.add_item(replace(ITEM, month="2026-08"), "ada") == "added"


CHANGES: list[Callable[[Ledger], Any]] = [
    *(keep for _, keep in KEPT),
    lambda ledger: ledger.set_buyer("acme", Buyer("DE"), "ada"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_drafts_that_do_not_know_it_yet_are_not_finalized(
    ledger: Ledger, change: Callable[[Ledger], Any]
) -> None:
    prepare_month(ledger, [a_draft("acme")])
    change(ledger)
    change(ledger)
    with pytest.raises(Conflict, match="run `countinghouse close 2026-10`"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    ledger.replace_drafts(MONTH, drafts_of([with_items(a_draft("acme"), ledger)]))
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1


def with_items(draft: Invoice, ledger: Ledger) -> Invoice:
    lines = [
        InvoiceLine("item", "pro", PERIOD, item.amount_minor, name=item.description)
        for item in ledger.items(draft.tenant)
    ]
    return replace(draft, lines=(*draft.lines, *lines))


def test_what_begins_later_leaves_drafts_alone(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme")])
    ledger.book_add_on(replace(ADD_ON, starts_ms=at("2026-11-01")), "ada")
    ledger.add_item(replace(ITEM, month="2026-11"), "ada")
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1


def test_a_draft_without_the_items_of_its_month_is_not_finalized(ledger: Ledger) -> None:
    ledger.add_item(ITEM, "ada")
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    with pytest.raises(Conflict, match="items of acme came after the drafts of 2026-10"):
        ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert ledger.invoices(MONTH)[0].number is None
    ledger.replace_drafts(MONTH, drafts_of([with_items(a_draft("acme"), ledger), a_draft("bolt")]))
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 2


def test_lines_keep_what_only_adjusting_lines_say(ledger: Ledger) -> None:
    tax = InvoiceLine(
        "tax", "pro", PERIOD, 0, meter="tokens", product="usage", name="VAT", rate_ppm=200_000,
        base_minor=4999, tax_minor=833,
    )  # fmt: skip
    ledger.save_closing(a_closing())
    ledger.replace_drafts(
        MONTH, drafts_of([replace(a_draft("acme"), lines=(*a_draft("acme").lines, tax))])
    )
    [invoice] = ledger.invoices(MONTH)
    assert invoice.lines[-1] == tax
    assert (invoice.total_minor, invoice.tax_minor, invoice.subtotal_minor) == (4999, 833, 4999)
