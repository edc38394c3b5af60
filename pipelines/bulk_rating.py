"""A month's lines for all tenants at once: one DuckDB statement for usage, one for fees.

Its figures are those of `pipelines.rating` and `pipelines.proration`, line by line; it owns only
the speed. All arithmetic is in HUGEINT, which raises on overflow. Each subscription is rated for
the billing period of its own that ends in the month.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.fee_terms import has_only_usual, is_usual
from pipelines.price_table import matrix_table, price_table
from pipelines.proration import prorate_fees as specified_fees
from pipelines.tables import as_table, padded, table_of
from schemas.catalog import Catalog
from schemas.money import MINOR_DIGITS, PICO, minor_per_major
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.subscription import Subscription
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS, USAGE_COLUMNS, ArrowStream

_SQL = files("pipelines") / "sql"
_PARTS = (_SQL / "parts.sql").read_text()
_COST = (_SQL / "cost.sql").read_text()
_SPLITS = (_SQL / "splits.sql").read_text()
_SPLITS_BY_POLICY = (_SQL / "splits_by_policy.sql").read_text()
_CHARGES = (_SQL / "charges.sql").read_text()
_FEES = (_SQL / "fees.sql").read_text()
_SEGMENTS = {
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "plan": "string",
    "catalog_version": "int64",
    "starts_ms": "int64",
    "ends_ms": "int64",
    "is_trial": "bool",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
}
_PLAN = {"catalog_version": "int64", "plan": "string"}
_CARDS = {**_PLAN, "meter": "string", "included_micro": "int64"}
_POLICIES = {**_PLAN, "proration": "string", "is_full": "bool", "is_per_segment": "bool"}
_BASE_FEES = {**_PLAN, "currency": "string", "fee_minor": "int64"}
_DIVISORS = {"currency": "string", "divisor": "int64"}
"""The statements' tables: what the price lists and subscriptions say, as rows."""


def rate_charges(
    usage: ArrowStream,
    subscriptions: Iterable[Subscription],
    month: BillingPeriod,
    catalogs: Mapping[int, Catalog],
) -> pa.Table:
    """The usage lines (`LINE_COLUMNS`) of all subscriptions, by tenant, subscription, ordinal.

    `usage` is cut by `pipelines.segments.bounds`; what lies in no part of a subscription, or is of
    a meter that its price lists do not price, makes no line.

    Raises:
        duckdb.Error: an amount does not fit 64 bits; nothing wraps.
    """
    tables = {
        "usage": as_table(usage, USAGE_COLUMNS),
        "segments": _segments(subscriptions, month),
        "cards": table_of(_cards(catalogs), _CARDS),
        "prices": price_table(catalogs),
        "matrix_prices": matrix_table(catalogs),
        "divisors": table_of(_divisors(), _DIVISORS),
        "policies": table_of(_policies(catalogs), _POLICIES),
    }
    plans = [plan for catalog in catalogs.values() for plan in catalog.plans.values()]
    are_usual = all(plan.policies.are_usual_for_usage for plan in plans)
    return _run(_CHARGES, tables, _SPLITS if are_usual else _SPLITS_BY_POLICY)


def prorate_fees(
    subscriptions: Iterable[Subscription], month: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> pa.Table:
    """The fee lines (`LINE_COLUMNS`) of all subscriptions, by tenant, subscription, ordinal.

    Fees by the year, in advance, by the day or whole are few, and the specification makes them.
    """
    usual: list[Subscription] = list(subscriptions)
    others: list[Subscription] = []
    if not has_only_usual(catalogs):
        everyone, usual = usual, []
        for each in everyone:
            own = usual if is_usual(each, each.billed_in(month), catalogs) else others
            own.append(each)
    fees = table_of(_fees(catalogs), _BASE_FEES)
    lines = _run(_FEES, {"segments": _segments(usual, month), "fees": fees})
    if not others:
        return lines
    rows = [row for each in others for row in _specified(each, month, catalogs)]
    order = [(name, "ascending") for name in ("tenant", "subscription", "ordinal")]
    return pa.concat_tables([lines, table_of(rows, LINE_COLUMNS)]).sort_by(order)


def _specified(
    subscription: Subscription, month: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> Iterator[tuple[Any, ...]]:
    whose = subscription.tenant, subscription.id, subscription.currency
    lines = specified_fees(subscription, subscription.billed_in(month), catalogs)
    nothing = [None] * len(ADJUSTING_COLUMNS)
    for ordinal, line in enumerate(lines):
        span = line.period.start_ms, line.period.end_ms
        what = line.kind, None, None, line.plan, *span, None, None
        yield *whose, ordinal, *what, line.fee_minor, line.amount_minor, *nothing


def _run(statement: str, tables: Mapping[str, pa.Table], first: str = "") -> pa.Table:
    with duckdb.connect(":memory:") as connection:
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute(_PARTS)
        connection.execute(_COST)
        if first:
            connection.execute(first)
        lines = padded(connection.sql(statement).to_arrow_table(), ADJUSTING_COLUMNS)
        return as_table(lines, LINE_COLUMNS)


def _segments(subscriptions: Iterable[Subscription], month: BillingPeriod) -> pa.Table:
    """Every segment in which a plan is in force, with the period of its own that is billed."""
    billed = cache(partial(BillingPeriod.ending_in, month))
    rows = (
        (
            *(s.tenant, s.id, s.currency, each.plan, each.catalog_version),
            *(each.starts_ms, each.ends_ms, each.phase == "trial"),
            *(billed(s.anchor_day).start_ms, billed(s.anchor_day).end_ms),
        )
        for s in subscriptions
        for each in s.segments
        if each.phase != "paused"
    )
    return table_of(rows, _SEGMENTS)


def _cards(catalogs: Mapping[int, Catalog]) -> Iterator[tuple[Any, ...]]:
    """A card for every plan and priced meter; a plan without one for a meter includes 0 of it."""
    for version, catalog in catalogs.items():
        for name, plan in catalog.plans.items():
            for meter in catalog.priced_meters:
                card = plan.meters.get(meter)
                yield version, name, meter, card.included if card else 0


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


def _divisors() -> Iterator[tuple[str, int]]:
    """What turns 1e-6 units times 1e-12 of a major unit into minor units, for each currency."""
    for currency in MINOR_DIGITS:
        yield currency, MICRO * PICO // minor_per_major(currency)
