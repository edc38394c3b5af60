"""What price lists, subscriptions and tenants say, as rows for the statements of `bulk`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.line_parts import begins
from pipelines.columns.tables import as_table, rows_of, table_of
from pipelines.segments.billed_segments import periods_of
from schemas.catalog import Catalog, Plan
from schemas.extras import ADD_ON_COLUMNS, REDEMPTION_COLUMNS
from schemas.offers import Discount
from schemas.period import BillingPeriod
from schemas.tables import ArrowStream
from schemas.tax import TaxRule

_SEGMENTS = {
    "case_id": "int64",
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "plan": "string",
    "catalog_version": "int64",
    "starts_ms": "int64",
    "ends_ms": "int64",
    "billing_interval": "string",
    "phase": "string",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
}
_TERMS = {
    "catalog_version": "int64",
    "plan": "string",
    "currency": "string",
    "minimum_minor": "int64",
    "maximum_minor": "int64",
    "discount_ppm": "int64",
    "discount_minor": "int64",
    "discount_on": "string",
}
_ADD_ONS = {
    "tenant": "string",
    "key": "string",
    "add_on": "string",
    "quantity": "int64",
    "starts_ms": "int64",
    "ends_ms": "int64",
    "interval_": "string",
    "currency": "string",
    "fee_minor": "int64",
}
_REDEMPTIONS = {
    "tenant": "string",
    "coupon": "string",
    "starts_ms": "int64",
    "ends_ms": "int64",
    "currency": "string",
    "ppm": "int64",
    "most_minor": "int64",
    "target": "string",
}
_RULES = {
    "place": "int64",
    "name": "string",
    "name_place": "int64",
    "country": "string",
    "region": "string",
    "target": "string",
    "rate_ppm": "int64",
    "included": "bool",
    "reverse_charge": "bool",
}


def segments(subscribed: pa.Table, month: BillingPeriod) -> pa.Table:
    """The segments (`SEGMENT_COLUMNS`) with the period of each subscription that ends in the month.

    Each subscription is a case with a number, in the order of the lines that are to be made.
    """
    is_first = begins(subscribed["subscription"]).cast(pa.int64())
    starts, ends = periods_of(subscribed["anchor_day"], month)
    own = {
        "case_id": pc.subtract(pc.cumulative_sum(is_first), 1),
        "billing_interval": subscribed["interval"],
        "period_start_ms": starts,
        "period_end_ms": ends,
    }
    columns = {name: own[name] if name in own else subscribed[name] for name in _SEGMENTS}
    return as_table(pa.table(columns), _SEGMENTS)


def terms(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """Minimum, maximum and discount of each plan, by currency."""
    rows = (
        (version, name, currency, *_limits(plan, currency), *_discount(plan.discount, currency))
        for version, catalog in catalogs.items()
        for name, plan in catalog.plans.items()
        for currency in catalog.currencies
    )
    return table_of(rows, _TERMS)


def _limits(plan: Plan, currency: str) -> tuple[int | None, int | None]:
    return plan.minimum_minor(currency), plan.maximum_minor(currency)


def _discount(discount: Discount | None, currency: str) -> tuple[Any, ...]:
    if discount is None:
        return None, None, None
    return discount.percent, discount.amount_minor(currency), discount.on


def add_ons(booked: ArrowStream, catalogs: Mapping[int, Catalog]) -> pa.Table:
    """Add-ons that tenants have, with their fee in each currency."""

    def rows() -> Iterator[tuple[Any, ...]]:
        for row in rows_of(as_table(booked, ADD_ON_COLUMNS)):
            own = catalogs[row["catalog_version"]].add_ons[row["add_on"]]
            told = (row[name] for name in list(_ADD_ONS)[:6])
            kept = (*told, own.interval)
            yield from ((*kept, it, own.fee_minor(it)) for it in own.fee)

    return table_of(rows(), _ADD_ONS)


def redemptions(redeemed: ArrowStream, catalogs: Mapping[int, Catalog]) -> pa.Table:
    """Coupons that tenants have redeemed, with their terms in each currency.

    A share is one in all that are billed, also where its own price list has dropped some of them.
    """
    currencies = sorted({it for each in catalogs.values() for it in each.currencies})

    def rows() -> Iterator[tuple[Any, ...]]:
        for row in rows_of(as_table(redeemed, REDEMPTION_COLUMNS)):
            own = catalogs[row["catalog_version"]].coupons[row["coupon"]]
            told = (row["tenant"], row["coupon"], row["starts_ms"], row["ends_ms"])
            for it in own.amount or currencies:
                yield *told, it, own.percent, own.amount_minor(it), own.on

    return table_of(rows(), _REDEMPTIONS)


def rules(taxes: Sequence[TaxRule]) -> pa.Table:
    """The rule table; rules with one name have the place of the first of them."""
    names = list(dict.fromkeys(rule.name for rule in taxes))
    rows = (
        (
            *(place, rule.name, names.index(rule.name), rule.country, rule.region, rule.on),
            *(rule.rate, rule.included, rule.reverse_charge),
        )
        for place, rule in enumerate(taxes)
    )
    return table_of(rows, _RULES)
