"""A month's lines for all tenants at once: one DuckDB statement for usage, one for fees.

Its figures are those of `pipelines.rating` and `pipelines.proration`, line by line; it owns only
the speed. All arithmetic is in HUGEINT, which raises on overflow. Each subscription is rated for
the billing period of its own that ends in the month.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.coding import Codes, Numbered, by_tenant
from pipelines.fee_terms import has_only_usual, is_usual
from pipelines.plan_tables import card_table, divisor_table, fee_table, policy_table
from pipelines.price_table import matrix_table, price_table
from pipelines.proration import prorate_fees as specified_fees
from pipelines.tables import as_table, table_of
from schemas.catalog import Catalog
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS, USAGE_COLUMNS, ArrowStream

AT_ONCE = 60_000
"""Subscriptions whose usage is rated together."""

_SQL = files("pipelines") / "sql"
_PARTS = (_SQL / "parts.sql").read_text()
_COST = (_SQL / "cost.sql").read_text()
_SPLITS = (_SQL / "splits.sql").read_text()
_SPLITS_BY_POLICY = (_SQL / "splits_by_policy.sql").read_text()
_CHARGES = (_SQL / "charges.sql").read_text()
_FEES = (_SQL / "fees.sql").read_text()
_PLAIN_CHARGES = (_SQL / "plain_charges.sql").read_text()
_PLAIN_FEES = (_SQL / "plain_fees.sql").read_text()
_NUMBERED_USAGE = (_SQL / "numbered_usage.sql").read_text()
_WHOLE = """
SELECT * FROM (
{several})
UNION ALL
SELECT * FROM (
{plain})
ORDER BY subscription, ordinal
"""


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
    return pa.concat_tables(BulkRating(subscriptions, month, catalogs).charges(usage))


def prorate_fees(
    subscriptions: Iterable[Subscription], month: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> pa.Table:
    """The fee lines (`LINE_COLUMNS`) of all subscriptions, by tenant, subscription, ordinal.

    Fees by the year, in advance, by the day or whole are few, and the specification makes them.
    """
    return pa.concat_tables(BulkRating(subscriptions, month, catalogs).fees())


class BulkRating:
    """A month's subscriptions, numbered once for their fees and for their usage.

    Lines come in parts of `at_once` subscriptions, so that memory does not grow with their number.
    """

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        month: BillingPeriod,
        catalogs: Mapping[int, Catalog],
        at_once: int = AT_ONCE,
    ) -> None:
        self._subscriptions = list(subscriptions)
        self._month = month
        self._catalogs = catalogs
        self._at_once = at_once
        self._codes = Codes(catalogs)

    @cached_property
    def _numbered(self) -> Numbered:
        return self._codes.numbered(self._subscriptions, self._month)

    def charges(self, usage: ArrowStream) -> Iterator[pa.Table]:
        """The usage lines of `rate_charges`, some subscriptions after the others."""
        whose, offered = self._numbered, self._offered()
        scripts = (_NUMBERED_USAGE, _PARTS, _COST, self._splits())
        used = as_table(usage, USAGE_COLUMNS)
        is_cut = len(whose.tenants) > self._at_once
        used = by_tenant(used) if is_cut else used
        for first in range(0, max(len(whose.tenants), 1), self._at_once):
            own = whose.tables(first, self._at_once)
            theirs = _usage_of(own["named"]["tenant"], used) if is_cut else used
            tables = {**offered, **own, "raw_usage": theirs}
            lines = _run(scripts, (_CHARGES, _PLAIN_CHARGES), tables)
            yield self._codes.lines(lines, whose)

    def fees(self) -> Iterator[pa.Table]:
        """The fee lines of `prorate_fees`; in one part where some are not usual."""
        if has_only_usual(self._catalogs):
            yield from self._usual_fees(self._numbered)
            return
        usual: list[Subscription] = []
        others: list[Subscription] = []
        for each in self._subscriptions:
            period = each.billed_in(self._month)
            (usual if is_usual(each, period, self._catalogs) else others).append(each)
        rows = [row for each in others for row in _specified(each, self._month, self._catalogs)]
        lines = self._usual_fees(self._codes.numbered(usual, self._month))
        order = [(name, "ascending") for name in ("tenant", "subscription", "ordinal")]
        yield pa.concat_tables([*lines, table_of(rows, LINE_COLUMNS)]).sort_by(order)

    def _usual_fees(self, whose: Numbered) -> Iterator[pa.Table]:
        fees = self._codes.coded(fee_table(self._catalogs))
        for first in range(0, max(len(whose.tenants), 1), self._at_once):
            own = whose.tables(first, self._at_once)
            tables = {"fees": fees, "plain": own["one_plan"], "segments": own["several"]}
            yield self._codes.lines(_run((_PARTS,), (_FEES, _PLAIN_FEES), tables), whose)

    def _offered(self) -> dict[str, pa.Table]:
        """What the price lists say, by number."""
        small = {
            "cards": card_table(self._catalogs),
            "prices": price_table(self._catalogs),
            "matrix_prices": matrix_table(self._catalogs),
            "divisors": divisor_table(),
            "policies": policy_table(self._catalogs),
        }
        coded = {name: self._codes.coded(table) for name, table in small.items()}
        return {**coded, "meters": self._codes.meters}

    def _splits(self) -> str:
        plans = [plan for each in self._catalogs.values() for plan in each.plans.values()]
        are_usual = all(plan.policies.are_usual_for_usage for plan in plans)
        return _SPLITS if are_usual else _SPLITS_BY_POLICY


def _usage_of(tenants: pa.ChunkedArray, used: pa.Table) -> pa.Table:
    """The rows from the first of these tenants to the last; both are in order."""
    names = used["tenant"]

    def name(row: int) -> str:
        text: str = names[row].as_py()
        return text

    start = bisect_left(range(len(names)), tenants[0].as_py(), key=name)
    end = bisect_right(range(len(names)), tenants[-1].as_py(), key=name)
    return used.slice(start, end - start)


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


def _run(
    scripts: Iterable[str], statements: tuple[str, str], tables: Mapping[str, pa.Table]
) -> pa.Table:
    """Lines by number, those of several plans and of one, in their order."""
    several, plain = statements
    with duckdb.connect(":memory:") as connection:
        for name, table in tables.items():
            connection.register(name, table)
        for script in scripts:
            connection.execute(script)
        return connection.sql(_WHOLE.format(several=several, plain=plain)).to_arrow_table()
