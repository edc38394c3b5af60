"""Saving subscriptions, and what a change sets in motion."""

import json
from dataclasses import replace

import pytest

from schemas.errors import Conflict, InvalidInput, NotFound
from schemas.period import BillingPeriod
from schemas.subscription import GOOD_CARD
from stores.ledger import Ledger, SavedCounts
from tests.unit.stores.ledger.builders import (
    CATALOG,
    DEARER_CATALOG,
    NOW,
    a_subscription,
    at,
)


def test_saving_twice_changes_nothing(ledger: Ledger) -> None:
    wanted = [a_subscription("acme"), a_subscription("bolt", ("free", "2026-10-01"))]
    assert ledger.save_subscriptions(wanted, NOW, "ada") == SavedCounts(2, 0, 0)
    assert ledger.save_subscriptions(wanted, NOW, "ada") == SavedCounts(0, 0, 2)
    assert ledger.subscriptions() == wanted
    assert ledger.subscribed("acme").version == 1
    assert len(ledger.behind_events(10)) == 2
    assert len(ledger.audit_log()) == 2


def test_a_change_raises_the_version_and_is_told_and_audited(ledger: Ledger) -> None:
    before = a_subscription("acme")
    after = a_subscription("acme", ("free", "2026-10-01"), ("pro", "2026-10-16"))
    ledger.save_subscriptions([before], NOW, "ada")
    assert ledger.save_subscriptions([after], NOW + 1, "bob") == SavedCounts(0, 1, 0)
    stored = ledger.subscribed("acme")
    assert (stored.subscription, stored.version, stored.entitlement_version) == (after, 2, 2)
    event = ledger.behind_events(10)[-1]
    assert (event.id, event.tenant) == ("subscription.changed:sub_acme:2", "acme")
    plans = json.loads(event.data)["plans"]
    assert [(each["plan"], each["ends_at"]) for each in plans] == [
        ("free", "2026-10-16T00:00:00Z"),
        ("pro", None),
    ]
    last = ledger.audit_log("acme")[-1]
    assert (last["who"], last["action"], last["at_ms"]) == ("bob", "subscription.changed", NOW + 1)


def test_the_card_is_a_change_too(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    changed = a_subscription("acme", card="4000000000000002")
    assert ledger.save_subscriptions([changed], NOW, "ada") == SavedCounts(0, 1, 0)
    assert ledger.subscribed("acme").subscription == changed


def test_where_no_card_is_said_it_stays_and_a_new_tenant_has_the_sandboxs(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme", card="cus_1/pm_1")], NOW, "ada")
    wanted = [a_subscription(tenant, card="") for tenant in ("acme", "bolt")]
    assert ledger.save_subscriptions(wanted, NOW, "ada") == SavedCounts(1, 0, 1)
    cards = {each.tenant: each.card for each in ledger.subscriptions()}
    assert cards == {"acme": "cus_1/pm_1", "bolt": GOOD_CARD}


def test_a_plan_that_goes_on_keeps_its_price_list(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    ledger.apply_catalog(DEARER_CATALOG, NOW)
    again = a_subscription("acme", version=2)
    assert ledger.save_subscriptions([again], NOW, "ada") == SavedCounts(0, 0, 1)
    upgraded = a_subscription("acme", ("free", "2026-10-01"), ("pro", "2026-10-16"), version=2)
    ledger.save_subscriptions([upgraded], NOW, "ada")
    segments = ledger.subscribed("acme").subscription.segments
    assert [(each.plan, each.catalog_version) for each in segments] == [("free", 1), ("pro", 2)]


def test_a_price_list_that_does_not_sell_the_year_is_not_kept_for_it(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    by_year = CATALOG.replace(b'{"USD":"0"}', b'{"USD":"0"},"base_fee_yearly":{"USD":"12"}')
    ledger.apply_catalog(by_year, NOW)
    [month] = a_subscription("acme", version=2).segments
    year = replace(a_subscription("acme"), segments=(replace(month, interval="year"),))
    ledger.save_subscriptions([year], NOW, "ada")
    [stored] = ledger.subscribed("acme").subscription.segments
    assert (stored.interval, stored.catalog_version) == ("year", 2)


def test_tenants_that_are_not_named_stay(ledger: Ledger) -> None:
    ledger.save_subscriptions([a_subscription("acme"), a_subscription("bolt")], NOW, "ada")
    ledger.save_subscriptions([a_subscription("bolt", ("pro", "2026-10-02"))], NOW, "ada")
    assert ledger.tenant_names() == ["acme", "bolt"]


@pytest.mark.parametrize(
    ("starts", "ends", "is_there"),
    [
        ("2026-09-01", "2026-10-01", False),
        ("2026-09-01", "2026-10-01T00:00:01Z", True),
        ("2026-10-31T23:59:59Z", "2026-12-01", True),
        ("2026-11-01", "2026-12-01", False),
    ],
)
def test_a_subscription_belongs_to_the_months_it_reaches_into(
    ledger: Ledger, starts: str, ends: str, is_there: bool
) -> None:
    month = BillingPeriod.month("2026-10")
    until = a_subscription("acme", ("free", starts), ("free", ends)).segments[:1]
    wanted = a_subscription("acme")
    one = type(wanted)(wanted.id, wanted.tenant, wanted.currency, wanted.card, until)
    ledger.save_subscriptions([one], NOW, "ada")
    assert one.segments[0].ends_ms == at(ends)
    assert (ledger.subscriptions(month) == [one]) is is_there


def test_a_wrong_file_changes_nothing(ledger: Ledger) -> None:
    twice = [a_subscription("acme"), a_subscription("acme", ("pro", "2026-10-01"))]
    with pytest.raises(InvalidInput, match="'acme' is named twice"):
        ledger.save_subscriptions(twice, NOW, "ada")
    with pytest.raises(NotFound, match="no version 7"):
        ledger.save_subscriptions([a_subscription("acme", version=7)], NOW, "ada")
    assert ledger.subscriptions() == []
    assert ledger.behind_events(10) == []


def test_a_tenant_has_one_subscription(ledger: Ledger) -> None:
    wanted = a_subscription("acme")
    other = type(wanted)("sub_2", "acme", "USD", wanted.card, wanted.segments)
    ledger.save_subscriptions([wanted], NOW, "ada")
    with pytest.raises(Conflict, match="'sub_acme'; 'sub_2' cannot be added"):
        ledger.save_subscriptions([other], NOW, "ada")


def test_an_unknown_tenant_is_said(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="'ghost' has no subscription"):
        ledger.subscribed("ghost")
