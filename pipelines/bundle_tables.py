"""What a month was billed from and what came of it, as tables that need nothing beside them.

Owns which rows are in a month's bundle and their order; `pipelines.bundle_sql` computes the lines
from them again. Every table is sorted by what makes its rows unique, so equal months are equal
bytes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipelines.adjustments import bulk_tables
from pipelines.books import Books
from pipelines.fee_terms import has_only_usual, is_usual
from pipelines.plan_tables import card_table, divisor_table, fee_table, policy_table
from pipelines.price_table import matrix_table, price_table
from pipelines.proration import fee_lines
from pipelines.rerun import extras_as_billed
from pipelines.segment_tables import subscriptions_of
from pipelines.tables import as_table, table_of
from schemas.catalog import Catalog
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, ITEM_COLUMNS
from schemas.invoice import Invoice, InvoiceState
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS

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
_INVOICES = {
    "invoice": "string",
    "number": "string",
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "is_final": "bool",
    "is_void": "bool",
    "held": "string",
    "subtotal_minor": "int64",
    "tax_minor": "int64",
    "credits_minor": "int64",
    "total_minor": "int64",
    "document_hash": "string",
    "document": "string",
}
_OWN = {name: kind for name, kind in LINE_COLUMNS.items() if name != "ordinal"}
_LINES = {"invoice": "string", "line": "int64", **_OWN}

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
    "invoices": ("tenant", "subscription"),
    "lines": ("tenant", "subscription", "line"),
}
"""The bundle's tables, and what makes a row of each unique."""


def bundle_tables(books: Books, usage: pa.Table) -> dict[str, pa.Table]:
    """The tables of a month's bundle by name, sorted.

    `usage` is the month's usage as it was rated, with whatever columns beside it.
    """
    found = {
        "usage": usage,
        **_prices(books.offered.catalogs),
        **_subscriptions(books),
        **_beside_plans(books),
        "invoices": table_of(_invoices(books), _INVOICES),
        "lines": table_of(_lines(books), _LINES),
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


def _told(books: Books) -> list[Invoice]:
    """What the close made, void ones that nothing took the place of too; credit notes by hand."""
    return [*books.made, *(each for each in books.invoices if each.is_by_hand)]


def _invoices(books: Books) -> Iterator[tuple[Any, ...]]:
    """Without what a payment or a clock changes."""
    for it in _told(books):
        state = it.state is not InvoiceState.DRAFT, it.state is InvoiceState.VOID
        whose = it.tenant, it.subscription, it.currency
        sums = it.subtotal_minor, it.tax_minor, it.credits_minor, it.total_minor
        document = it.document_hash, it.document.decode()
        yield (it.id, it.number, *whose, *state, it.held, *sums, *document)


def _lines(books: Books) -> Iterator[tuple[Any, ...]]:
    for it in _told(books):
        for place, line in enumerate(it.lines, start=1):
            yield (
                *(it.id, place, it.tenant, it.subscription, it.currency),
                *(line.kind, line.meter, line.value, line.plan),
                *(line.period.start_ms, line.period.end_ms),
                *(line.quantity_micro, line.unit_price_pico, line.fee_minor, line.amount_minor),
                *(line.product, line.name, line.rate_ppm, line.base_minor, line.tax_minor),
            )
