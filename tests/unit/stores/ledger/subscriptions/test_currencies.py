"""A tenant's currency is another as long as nothing of it is in the one that it has."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, replace

import pytest
import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.extras import BookedAddOn, CreditGrant, OneOffItem, Redemption
from stores.ledger import Ledger, SavedCounts
from stores.ledger.connection import writing
from stores.ledger.extras.keeping import check_currency, keep
from stores.ledger.subscriptions.currencies import lock_currencies
from stores.ledger.tables.extras_tables import one_off_items
from stores.ledger.tables.subscription_tables import tenants
from tests.unit.stores.ledger.builders import (
    CATALOG,
    MONTH,
    NOW,
    SELLER,
    a_draft,
    a_subscription,
    at,
    finalized,
    prepare_month,
)

OFFERED = CATALOG.replace(
    b'"currencies":["USD"]',
    b'"currencies":["USD","CNY"],"coupons":{"SHARE":{"percent":"20%","lasts":"once"},'
    b'"FIVE":{"amount":{"USD":"5","CNY":"30"},"lasts":"once"}},'
    b'"add_ons":{"seat":{"fee":{"USD":"5","CNY":"30"}}}',
).replace(b'{"USD":"0"}', b'{"USD":"0","CNY":"0"}')
IN_YUAN = a_subscription("acme", version=2, currency="CNY")
ITEM = OneOffItem("acme", "setup", "2026-12", "USD", 100, "Setup")
LATER = at("2026-12-01")

Use = Callable[[Ledger], object]
USES: dict[str, Use] = {
    "the item 'setup'": lambda ledger: ledger.add_item(ITEM, "ada"),
    "the credit 'gift'": lambda ledger: ledger.grant_credit(
        CreditGrant("acme", "gift", "USD", 100, NOW), "ada"
    ),
    "the add-on 'seat'": lambda ledger: ledger.book_add_on(
        BookedAddOn("acme", "seat", "seat", 2, 1, LATER), "ada"
    ),
    "the coupon 'FIVE'": lambda ledger: ledger.redeem(Redemption("acme", "FIVE", 2, LATER), "ada"),
    "the invoice '2026-10-000001'": lambda ledger: finalized(ledger, a_draft("acme")),
}


@pytest.fixture
def dollars(ledger: Ledger) -> Ledger:
    """acme, by mistake in dollars, by a price list that sells in both currencies."""
    ledger.apply_catalog(OFFERED, NOW)
    ledger.save_subscriptions([a_subscription("acme", version=2)], NOW, "ada")
    return ledger


def change(ledger: Ledger) -> SavedCounts:
    return ledger.save_subscriptions([IN_YUAN], NOW, "ada", in_closed_months=True)


@pytest.mark.parametrize("plans", [1, 2])
def test_it_is_put_right_while_nothing_is_in_it(ledger: Ledger, plans: int) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    ledger.apply_catalog(OFFERED, NOW)
    wanted = a_subscription("acme", version=plans, currency="CNY")
    assert ledger.why_currencies_stay(["acme", "nobody"]) == {}
    assert ledger.save_subscriptions([wanted], NOW, "ada") == SavedCounts(0, 1, 0)
    assert ledger.currencies(["acme", "nobody"]) == {"acme": "CNY"}


def test_a_share_is_of_any_currency(dollars: Ledger) -> None:
    dollars.redeem(Redemption("acme", "SHARE", 2, LATER), "ada")
    assert change(dollars).changed == 1


@pytest.mark.parametrize("what", USES)
def test_it_stays_as_soon_as_something_is_in_it(dollars: Ledger, what: str) -> None:
    USES[what](dollars)
    assert dollars.why_currencies_stay(["acme"]) == {"acme": f"{what} is in it"}
    with pytest.raises(Conflict, match=rf"'acme' is billed in USD, and stays so: {what} is in it"):
        change(dollars)
    assert dollars.currencies(["acme"]) == {"acme": "USD"}


def test_a_draft_that_its_closed_month_waits_for_keeps_the_currency(dollars: Ledger) -> None:
    held = replace(a_draft("acme"), held="it differs")
    prepare_month(dollars, [held])
    dollars.hold(MONTH, {"acme": "it differs"})
    dollars.finalize(MONTH, SELLER, NOW, NOW)
    assert set(dollars.why_currencies_stay(["acme"])) == {"acme"}


def test_drafts_of_an_open_month_are_made_again(dollars: Ledger) -> None:
    prepare_month(dollars, [a_draft("acme")])
    change(dollars)
    with pytest.raises(Conflict, match=f"the drafts of {MONTH} are not all written"):
        dollars.finalize(MONTH, SELLER, NOW, NOW)


def test_a_change_waits_for_who_books_in_it(dollars: Ledger) -> None:
    with ThreadPoolExecutor(1) as beside:
        with writing(dollars._engine) as connection:
            check_currency(connection, "acme", "USD")
            changed = beside.submit(change, dollars)
            assert wait([changed], timeout=0.5).not_done
            keep(connection, one_off_items, asdict(ITEM), "the item")
        with pytest.raises(Conflict, match="stays so: the item 'setup' is in it"):
            changed.result()


def test_who_books_waits_for_a_change(dollars: Ledger) -> None:
    with ThreadPoolExecutor(1) as beside:
        with writing(dollars._engine) as connection:
            lock_currencies(connection, ["acme"])
            booked = beside.submit(dollars.add_item, ITEM, "bob")
            assert wait([booked], timeout=0.5).not_done
            connection.execute(sa.update(tenants).values(currency="CNY"))
        with pytest.raises(Conflict, match="acme is billed in CNY"):
            booked.result()
