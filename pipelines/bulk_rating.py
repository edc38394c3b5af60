"""A month's lines for all tenants at once: one DuckDB statement for usage, one for fees.

Its figures are those of `pipelines.rating` and `pipelines.proration`, line by line; it owns only
the speed. All arithmetic is in HUGEINT, which raises on overflow.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.price_table import matrix_table, price_table
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
_CHARGES = (_SQL / "charges.sql").read_text()
_FEES = (_SQL / "fees.sql").read_text()
_PERIOD = """
CREATE TABLE period AS
SELECT $1::BIGINT AS start_ms, $2::BIGINT AS end_ms, $2::BIGINT - $1::BIGINT AS duration_ms
"""

_SEGMENTS = {
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "plan": "string",
    "catalog_version": "int64",
    "starts_ms": "int64",
    "ends_ms": "int64",
    "is_trial": "bool",
}
_PLAN = {"catalog_version": "int64", "plan": "string"}
_CARDS = {**_PLAN, "meter": "string", "included_micro": "int64"}
_BASE_FEES = {**_PLAN, "currency": "string", "fee_minor": "int64"}
_DIVISORS = {"currency": "string", "divisor": "int64"}
"""The statements' tables: what the price lists and subscriptions say, as rows."""


def rate_charges(
    usage: ArrowStream,
    subscriptions: Iterable[Subscription],
    period: BillingPeriod,
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
        "segments": _segments(subscriptions),
        "cards": table_of(_cards(catalogs), _CARDS),
        "prices": price_table(catalogs),
        "matrix_prices": matrix_table(catalogs),
        "divisors": table_of(_divisors(), _DIVISORS),
    }
    return _run(_CHARGES, period, tables)


def prorate_fees(
    subscriptions: Iterable[Subscription], period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> pa.Table:
    """The fee lines (`LINE_COLUMNS`) of all subscriptions, by tenant, subscription, ordinal."""
    fees = table_of(_fees(catalogs), _BASE_FEES)
    return _run(_FEES, period, {"segments": _segments(subscriptions), "fees": fees})


def _run(statement: str, period: BillingPeriod, tables: Mapping[str, pa.Table]) -> pa.Table:
    with duckdb.connect(":memory:") as connection:
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute(_PERIOD, [period.start_ms, period.end_ms])
        connection.execute(_PARTS)
        connection.execute(_COST)
        lines = padded(connection.sql(statement).to_arrow_table(), ADJUSTING_COLUMNS)
        return as_table(lines, LINE_COLUMNS)


def _segments(subscriptions: Iterable[Subscription]) -> pa.Table:
    rows = (
        (
            *(s.tenant, s.id, s.currency, each.plan, each.catalog_version),
            *(each.starts_ms, each.ends_ms, each.phase == "trial"),
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


def _fees(catalogs: Mapping[int, Catalog]) -> Iterator[tuple[Any, ...]]:
    for version, catalog in catalogs.items():
        for name, plan in catalog.plans.items():
            for currency in plan.base_fee:
                yield version, name, currency, plan.base_fee_minor(currency)


def _divisors() -> Iterator[tuple[str, int]]:
    """What turns 1e-6 units times 1e-12 of a major unit into minor units, for each currency."""
    for currency in MINOR_DIGITS:
        yield currency, MICRO * PICO // minor_per_major(currency)
