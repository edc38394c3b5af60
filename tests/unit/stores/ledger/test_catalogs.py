"""Price list versions and epochs only grow."""

import pytest

from schemas.errors import NotFound
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import CATALOG, DEARER_CATALOG, NOW


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
