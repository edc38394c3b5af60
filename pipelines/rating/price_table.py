"""Prices as rows: what `sql/cost.sql` computes with, one row a plan, meter and currency.

A matrix has a row more for each value, in a table of its own.

The models and what they cost are said in `schemas.prices` and `pipelines.rating.costs`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from schemas.catalog import Catalog
from schemas.money import parse_pico
from schemas.prices import (
    DEFAULT,
    Graduated,
    Matrix,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    Volume,
)
from schemas.quantity import MICRO

_WITHOUT_END = 2**63 - 1

_TIER = pa.struct(
    [(name, pa.int64()) for name in ("lower_micro", "upper_micro", "unit_pico", "flat_pico")]
)
_SCHEMA = pa.schema(
    {
        "catalog_version": pa.int64(),
        "plan": pa.string(),
        "meter": pa.string(),
        "currency": pa.string(),
        "model": pa.string(),
        "unit_price_pico": pa.int64(),
        "package_micro": pa.int64(),
        "package_pico": pa.int64(),
        "rate_ppm": pa.int64(),
        "fixed_pico": pa.int64(),
        "minimum_pico": pa.int64(),
        "maximum_pico": pa.int64(),
        "tiers": pa.list_(_TIER),
    }
)
_MATRIX_SCHEMA = pa.schema(
    {
        "catalog_version": pa.int64(),
        "plan": pa.string(),
        "meter": pa.string(),
        "currency": pa.string(),
        "value": pa.string(),
        "unit_price_pico": pa.int64(),
    }
)


def price_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """Every overage price of these price lists; a column that its model does not use is null."""
    rows = [
        {**place, "currency": currency, "model": price.model, **_terms(price, currency)}
        for place, price, currencies in _prices(catalogs)
        for currency in currencies
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def matrix_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """What each named value costs where a price is a matrix; the others cost its default."""
    rows = [
        {
            **place,
            "currency": currency,
            "value": value,
            "unit_price_pico": each.unit_price_pico(currency),
        }
        for place, price, currencies in _prices(catalogs)
        if isinstance(price, Matrix)
        for value, each in price.prices.items()
        for currency in currencies
    ]
    return pa.Table.from_pylist(rows, schema=_MATRIX_SCHEMA)


def _prices(
    catalogs: Mapping[int, Catalog],
) -> Iterator[tuple[dict[str, Any], PriceModel, tuple[str, ...]]]:
    for version, catalog in catalogs.items():
        for name, plan in catalog.plans.items():
            for meter, card in plan.meters.items():
                if card.overage is not None:
                    place = {"catalog_version": version, "plan": name, "meter": meter}
                    yield place, card.overage, catalog.currencies


def _terms(price: PriceModel, currency: str) -> dict[str, Any]:
    match price:
        case PerUnit():
            return {"unit_price_pico": price.unit_price_pico(currency)}
        case Package():
            amount = parse_pico(price.price[currency])
            return {"package_micro": price.per * MICRO, "package_pico": amount}
        case Percentage():
            return {
                "rate_ppm": price.rate,
                "fixed_pico": price.fixed_pico(currency),
                "minimum_pico": price.minimum_pico(currency),
                "maximum_pico": price.maximum_pico(currency),
            }
        case Graduated() | Volume():
            return {"tiers": list(_tiers(price, currency))}
        case Matrix():
            return {"unit_price_pico": price.prices[DEFAULT].unit_price_pico(currency)}


def _tiers(price: Graduated | Volume, currency: str) -> Iterator[dict[str, int]]:
    lower = 0
    for tier in price.tiers:
        upper = _WITHOUT_END if tier.up_to is None else tier.up_to
        yield {
            "lower_micro": lower,
            "upper_micro": upper,
            "unit_pico": tier.unit_price_pico(currency),
            "flat_pico": tier.flat_pico(currency),
        }
        lower = upper
