"""What the ledger holds of all tenants beside their plans, as each tenant's own values."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pipelines.columns.tables import as_table, rows_of
from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    NOTHING,
    REDEMPTION_COLUMNS,
    BookedAddOn,
    Credit,
    CreditGrant,
    Extras,
    Given,
    OneOffItem,
    Redemption,
)
from schemas.tables import ArrowStream
from schemas.tax import Buyer


def given_by_tenant(extras: Extras) -> dict[str, Given]:
    """Each tenant that has anything, with all of it; equal buyers with nothing share a value."""
    found = _of_buyers(extras.buyers)
    for field, values in _values(extras).items():
        for tenant, own in values.items():
            changed: Any = {field: tuple(own)}
            found[tenant] = replace(found.get(tenant, NOTHING), **changed)
    return found


def versions_of(extras: Extras) -> set[int]:
    """The versions of the price list that coupons and add-ons keep."""
    kept = (
        as_table(extras.redemptions, REDEMPTION_COLUMNS),
        as_table(extras.add_ons, ADD_ON_COLUMNS),
    )
    return {version for table in kept for version in table["catalog_version"].to_pylist()}


def _of_buyers(buyers: ArrowStream) -> dict[str, Given]:
    known: dict[Buyer, Given] = {}
    found = {}
    for row in rows_of(as_table(buyers, BUYER_COLUMNS)):
        tenant = row.pop("tenant")
        buyer = Buyer(**row)
        found[tenant] = known.setdefault(buyer, Given(buyer))
    return found


def _values(extras: Extras) -> Mapping[str, Mapping[str, list[Any]]]:
    def of(rows: Iterator[dict[str, Any]], make: Any) -> Mapping[str, list[Any]]:
        by_tenant: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            by_tenant[row["tenant"]].append(make(**row))
        return by_tenant

    return {
        "redemptions": of(rows_of(as_table(extras.redemptions, REDEMPTION_COLUMNS)), Redemption),
        "add_ons": of(rows_of(as_table(extras.add_ons, ADD_ON_COLUMNS)), BookedAddOn),
        "items": of(rows_of(as_table(extras.items, ITEM_COLUMNS)), OneOffItem),
        "credits": of(rows_of(as_table(extras.credits, CREDIT_COLUMNS)), _credit),
    }


def _credit(left_minor: int, **grant: Any) -> Credit:
    return Credit(CreditGrant(**grant), left_minor)
