"""What plans include and cost, as tables: rows that the close's statements, and a bundle, read.

The prices of usage are in `pipelines.rating.price_table`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipelines.columns.tables import table_of
from schemas.catalog import Catalog
from schemas.money import MINOR_DIGITS, PICO, minor_per_major
from schemas.quantity import MICRO

_PLAN = {"catalog_version": "int64", "plan": "string"}
_CARDS = {**_PLAN, "meter": "string", "included_micro": "int64", "is_priced": "bool"}
_POLICIES = {**_PLAN, "proration": "string", "is_full": "bool", "is_per_segment": "bool"}
_FEES = {**_PLAN, "currency": "string", "fee_minor": "int64"}
_DIVISORS = {"currency": "string", "divisor": "int64"}


def card_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """A card for every plan and every meter that any of the price lists prices.

    A plan without one for a meter includes 0 of it. `is_priced` says whether its own price list
    prices the meter: where none of a subscription's does, the meter makes no line. Otherwise the
    plans of every one of them bring what they include, also all that there is.
    """
    return table_of(_cards(catalogs), _CARDS)


def policy_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """What each plan chooses of proration, of an upgrade and of its pool."""
    return table_of(_policies(catalogs), _POLICIES)


def fee_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """Each plan's base fee by currency, in minor units."""
    return table_of(_fees(catalogs), _FEES)


def divisor_table() -> pa.Table:
    """What turns 1e-6 units times 1e-12 of a major unit into minor units, for each currency."""
    divisors = ((it, MICRO * PICO // minor_per_major(it)) for it in MINOR_DIGITS)
    return table_of(divisors, _DIVISORS)


def _cards(catalogs: Mapping[int, Catalog]) -> Iterator[tuple[Any, ...]]:
    priced = sorted({meter for catalog in catalogs.values() for meter in catalog.priced_meters})
    for version, catalog in catalogs.items():
        for name, plan in catalog.plans.items():
            for meter in priced:
                card = plan.meters.get(meter)
                included = card.included if card else 0
                yield version, name, meter, included, meter in catalog.priced_meters


def _policies(catalogs: Mapping[int, Catalog]) -> Iterator[tuple[Any, ...]]:
    for version, catalog in catalogs.items():
        for name, plan in catalog.plans.items():
            its = plan.policies
            is_full, is_own = its.included_on_upgrade == "full", its.pool == "per_segment"
            yield version, name, its.proration, is_full, is_own


def _fees(catalogs: Mapping[int, Catalog]) -> Iterator[tuple[Any, ...]]:
    for version, catalog in catalogs.items():
        for name, plan in catalog.plans.items():
            for currency in plan.base_fee:
                yield version, name, currency, plan.base_fee_minor(currency)
