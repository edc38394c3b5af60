"""What a month was billed from, as tables that need nothing beside them.

Owns which rows of it are in a month's bundle and their order; `pipelines.bundle.bundle_sql`
computes the lines from them again, `pipelines.bundle.bundle_invoices` are those that were made.
Every table is sorted by what makes its rows unique, so equal months are equal bytes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipelines.adjustments import bulk_tables
from pipelines.columns.tables import as_table, table_of
from pipelines.invoices.books import Books
from pipelines.invoices.extras_as_billed import extras_as_billed
from pipelines.rating.fee_terms import has_only_usual, is_usual
from pipelines.rating.plan_tables import card_table, divisor_table, fee_table, policy_table
from pipelines.rating.price_table import matrix_table, price_table
from pipelines.rating.proration import fee_lines
from pipelines.segments.segment_tables import subscriptions_of
from schemas.catalog import Catalog
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, ITEM_COLUMNS
from schemas.subscription import Subscription

_OTHER_FEES = {
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "ordinal": "int32",
    "kind": "string",
    "plan": "string",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
    "fee_minor": "int64",
    "whole_start_ms": "int64",
    "whole_end_ms": "int64",
    "proration": "string",
}
_KEYS = {
    "subscriptions": ("tenant", "subscription", "starts_ms"),
    "usage": ("tenant", "meter", "segment", "value"),
    "cards": ("catalog_version", "plan", "meter"),
    "prices": ("catalog_version", "plan", "meter", "currency"),
    "matrix_prices": ("catalog_version", "plan", "meter", "currency", "value"),
    "policies": ("catalog_version", "plan"),
    "fees": ("catalog_version", "plan", "currency"),
    "other_fees": ("tenant", "subscription", "ordinal"),
    "terms": ("catalog_version", "plan", "currency"),
    "add_ons": ("tenant", "key", "currency"),
    "redemptions": ("tenant", "coupon", "starts_ms", "currency"),
    "items": ("tenant", "key"),
    "credits": ("tenant", "priority", "key"),
    "buyers": ("tenant",),
    "tax_rules": ("place",),
    "divisors": ("currency",),
}
"""The tables, and what makes a row of each unique."""


def bundle_tables(books: Books, usage: pa.Table) -> dict[str, pa.Table]:
    """What a month was billed from, by name, each sorted.

    `usage` is the month's usage as it was rated, with whatever columns beside it.
    """
    found = {
        "usage": usage,
        **_prices(books.offered.catalogs),
        **_subscriptions(books),
        **_beside_plans(books),
    }
    return {
        name: found[name].sort_by([(column, "ascending") for column in key]).combine_chunks()
        for name, key in _KEYS.items()
    }


def _prices(catalogs: Mapping[int, Catalog]) -> dict[str, pa.Table]:
    return {
        "prices": price_table(catalogs),
        "matrix_prices": matrix_table(catalogs),
        "cards": card_table(catalogs),
        "policies": policy_table(catalogs),
        "fees": fee_table(catalogs),
        "terms": bulk_tables.terms(catalogs),
        "divisors": divisor_table(),
    }


def _subscriptions(books: Books) -> dict[str, pa.Table]:
    """Timelines with the billing period of each, and the fees of those that are not the usual."""
    others = _others(books)
    timelines = bulk_tables.segments(books.segments, books.period)
    names = pa.array(sorted(each.id for each in others), pa.string())
    usual = pa.compute.invert(pa.compute.is_in(timelines["subscription"], value_set=names))
    return {
        "subscriptions": timelines.append_column("has_usual_fees", usual),
        "other_fees": table_of(
            (row for each in others for row in _other_fees(each, books)), _OTHER_FEES
        ),
    }


def _others(books: Books) -> list[Subscription]:
    catalogs = books.catalogs
    if has_only_usual(catalogs):
        return []
    return [
        each
        for each in subscriptions_of(books.segments)
        if not is_usual(each, each.billed_in(books.period), catalogs)
    ]


def _other_fees(subscription: Subscription, books: Books) -> Iterator[tuple[Any, ...]]:
    whose = subscription.tenant, subscription.id, subscription.currency
    period = subscription.billed_in(books.period)
    for ordinal, fee in enumerate(fee_lines(subscription, period, books.catalogs)):
        line = fee.line
        span = line.period.start_ms, line.period.end_ms
        whole = fee.whole.start_ms, fee.whole.end_ms
        yield (*whose, ordinal, line.kind, line.plan, *span, line.fee_minor, *whole, fee.proration)


def _beside_plans(books: Books) -> dict[str, pa.Table]:
    extras, catalogs = extras_as_billed(books), books.offered.catalogs
    return {
        "add_ons": bulk_tables.add_ons(extras.add_ons, catalogs),
        "redemptions": bulk_tables.redemptions(extras.redemptions, catalogs),
        "items": as_table(extras.items, ITEM_COLUMNS),
        "credits": as_table(extras.credits, CREDIT_COLUMNS),
        "buyers": as_table(extras.buyers, BUYER_COLUMNS),
        "tax_rules": bulk_tables.rules(books.offered.taxes),
    }
