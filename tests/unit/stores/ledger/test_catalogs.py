"""Price list versions and epochs only grow."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from schemas.catalog import Catalog
from schemas.catalog_use import InUse
from schemas.errors import Conflict, NotFound
from schemas.plan_change import PlanLife
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import CATALOG, DEARER_CATALOG, NOW, a_subscription

WORDS = CATALOG.replace(b'"tokens":', b'"words":')
"""A price list that counts something else."""


@pytest.fixture
def beside() -> Iterator[Executor]:
    """Somebody else who uses the ledger at the same time."""
    with ThreadPoolExecutor(1) as other:
        yield other


def refuse_what_is_held(known: Mapping[int, Catalog], in_use: InUse) -> None:
    if in_use.plans:
        raise Conflict(f"{sorted(in_use.plans)} are held")


def is_waiting(call: Future[Any]) -> bool:
    return bool(wait([call], timeout=0.5).not_done)


def test_the_same_price_list_is_no_new_version(ledger: Ledger) -> None:
    assert ledger.apply_catalog(CATALOG, NOW) == (1, False)
    assert ledger.apply_catalog(DEARER_CATALOG, NOW) == (2, True)
    assert ledger.apply_catalog(CATALOG, NOW) == (3, True)


def test_every_version_stays_readable(ledger: Ledger) -> None:
    ledger.apply_catalog(DEARER_CATALOG, NOW)
    included = {
        version: catalog.plans["free"].meters["tokens"].included
        for version, catalog in (ledger.catalog(1), ledger.catalog(2))
    }
    assert included == {1: 100_000_000_000, 2: 50_000_000_000}
    assert ledger.catalog()[0] == 2
    assert list(ledger.catalogs()) == [1, 2]
    assert ledger.catalog_document(1) == (1, CATALOG)


def test_an_unknown_version_names_those_there_are(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no version 9 of the price list; there are 1 to 1"):
        ledger.catalog(9)


def test_a_topic_id_keeps_its_epoch(ledger: Ledger) -> None:
    assert ledger.epoch("first") is None
    assert ledger.open_epoch("first", "usage.events", 8, NOW) == 1
    assert ledger.open_epoch("second", "usage.events", 16, NOW) == 2
    assert ledger.open_epoch("first", "usage.events", 8, NOW) == 1
    assert ledger.epoch("second") == 2


def test_the_first_price_list_is_rolled_out_by_itself(ledger: Ledger) -> None:
    assert ledger.rolled_out() == 1
    version, _ = ledger.apply_catalog(DEARER_CATALOG, NOW)
    assert (version, ledger.rolled_out()) == (2, 1)
    ledger.mark_rolled_out(2, NOW)
    assert ledger.rolled_out() == 2


def test_who_takes_a_plan_waits_for_a_price_list_and_is_told_that_it_is_not_counted(
    ledger: Ledger, beside: Executor
) -> None:
    begun: list[Future[Any]] = []

    def judge(known: Mapping[int, Catalog], in_use: InUse) -> None:
        refuse_what_is_held(known, in_use)
        begun.append(beside.submit(ledger.save_subscriptions, [a_subscription("acme")], NOW, "ada"))
        assert is_waiting(begun[0])

    assert ledger.apply_catalog(WORDS, NOW, judge) == (2, True)
    with pytest.raises(Conflict, match=r"free of price list 1 is billed by tokens, which .* 2 no"):
        begun[0].result()
    assert ledger.subscriptions() == []


def test_a_price_list_waits_for_who_takes_a_plan_and_sees_it(
    ledger: Ledger, beside: Executor
) -> None:
    ledger.save_subscriptions([a_subscription("acme")], NOW, "ada")
    applied: list[Future[Any]] = []

    def decide(life: PlanLife) -> None:
        applied.append(beside.submit(ledger.apply_catalog, WORDS, NOW, refuse_what_is_held))
        assert is_waiting(applied[0])

    ledger.decide_on(["acme"], decide, NOW)
    with pytest.raises(Conflict, match="'free', 1"):
        applied[0].result()
    assert ledger.catalog()[0] == 1


def test_periods_by_the_anniversary_need_a_price_list_that_has_them(ledger: Ledger) -> None:
    calendar = CATALOG.replace(b'"anniversary_billing":true,', b"")
    ledger.save_subscriptions([a_subscription("bolt", anchor_day=16)], NOW, "ada")
    ledger.apply_catalog(calendar, NOW)
    later = a_subscription("bolt", ("free", "2026-10-01"), ("free", "2026-12-01"), anchor_day=16)
    assert ledger.save_subscriptions([later], NOW, "ada").changed == 1
    with pytest.raises(Conflict, match="price list 2 bills acme by calendar months"):
        ledger.save_subscriptions([a_subscription("acme", anchor_day=16)], NOW, "ada")
