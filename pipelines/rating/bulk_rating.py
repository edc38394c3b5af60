"""A month's lines for all tenants at once: one DuckDB statement for usage, one for fees.

Its figures are those of `pipelines.rating.rating` and `pipelines.rating.proration`, line by line;
it owns only the speed. All arithmetic is in HUGEINT, which holds the dearest price of the most
usage. Each subscription is rated for the billing period of its own that ends in the month.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.ahead import side_by_side
from pipelines.columns.engine import database
from pipelines.columns.ordering import in_order, merged
from pipelines.columns.tables import as_table, table_of
from pipelines.rating.coding import Codes
from pipelines.rating.fee_terms import has_only_usual, is_usual
from pipelines.rating.numbering import Numbered, between, numbered, used
from pipelines.rating.plan_tables import card_table, divisor_table, fee_table, policy_table
from pipelines.rating.price_table import matrix_table
from pipelines.rating.proration import prorate_fees as specified_fees
from pipelines.rating.rate_tables import piece_table, rate_table
from pipelines.segments.segment_tables import segment_table, subscriptions_of
from schemas.catalog import Catalog
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS, SEGMENT_COLUMNS, ArrowStream

AT_ONCE = 40_000
"""Subscriptions whose usage is rated together."""

_SQL = files("pipelines") / "sql"
_TEXTS = {
    name: (_SQL / f"{name}.sql").read_text()
    for name in (
        *("offered", "parts", "piece_cost", "rounded", "clamped", "splits", "splits_by_policy"),
        *("part_charges", "plain_charges", "fees", "plain_fees"),
    )
}


def rate_charges(
    usage: ArrowStream,
    segments: ArrowStream,
    month: BillingPeriod,
    catalogs: Mapping[int, Catalog],
) -> pa.Table:
    """The usage lines (`LINE_COLUMNS`) of all subscriptions, by tenant, subscription, ordinal.

    `segments` (`SEGMENT_COLUMNS`) are the subscriptions. `usage` is cut by
    `pipelines.segments.segments.bounds`; what lies in no part of a subscription, or is of a meter
    that its price lists do not price, makes no line.
    """
    return pa.concat_tables(BulkRating(segments, month, catalogs).charges(usage))


def prorate_fees(
    segments: ArrowStream, month: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> pa.Table:
    """The fee lines (`LINE_COLUMNS`) of all subscriptions, by tenant, subscription, ordinal.

    Fees by the year, in advance, by the day or whole are few, and the specification makes them.
    """
    return pa.concat_tables(BulkRating(segments, month, catalogs).fees())


class BulkRating:
    """A month's subscriptions, numbered once for their fees and for their usage.

    Lines come in parts of `at_once` subscriptions, so that memory does not grow with their number.
    """

    def __init__(
        self,
        segments: ArrowStream,
        month: BillingPeriod,
        catalogs: Mapping[int, Catalog],
        at_once: int = AT_ONCE,
    ) -> None:
        self._segments = as_table(segments, SEGMENT_COLUMNS)
        self._month = month
        self._catalogs = catalogs
        self._at_once = at_once
        self._codes = Codes(catalogs)

    @cached_property
    def _numbered(self) -> Numbered:
        return numbered(self._segments, self._month)

    def charges(self, usage: ArrowStream) -> Iterator[pa.Table]:
        """The usage lines of `rate_charges`, some subscriptions after the others."""
        whose, names = self._numbered, self._codes.names
        uses = used(usage, whose.tenants, names["meter"])
        whose = whose.the_long_way(self._valued(uses))
        scripts = "offered", "parts", "piece_cost", "rounded", "clamped", self._splits()
        offered = self._offered()

        def some(first: int) -> pa.Table:
            own = {"usage": between(uses, "tenant", first, self._at_once)}
            tables = offered | own | self._in_force(whose, first)
            lines = _made(tables, scripts, ("plain_charges", "part_charges"), by="place")
            return self._codes.lines(lines, whose)

        yield from side_by_side(some, self._firsts(whose))

    def fees(self) -> Iterator[pa.Table]:
        """The fee lines of `prorate_fees`; in one part where some are not usual."""
        if has_only_usual(self._catalogs):
            yield from self._usual_fees(self._numbered)
            return
        usual: list[Subscription] = []
        others: list[Subscription] = []
        for each in subscriptions_of(self._segments):
            period = each.billed_in(self._month)
            (usual if is_usual(each, period, self._catalogs) else others).append(each)
        rows = [row for each in others for row in _specified(each, self._month, self._catalogs)]
        lines = self._usual_fees(numbered(segment_table(usual), self._month))
        together = pa.concat_tables([*lines, table_of(rows, LINE_COLUMNS)])
        yield in_order(together, ("tenant", "subscription", "ordinal"))

    def _usual_fees(self, whose: Numbered) -> Iterator[pa.Table]:
        fees = self._codes.coded(fee_table(self._catalogs))

        def some(first: int) -> pa.Table:
            tables = {"fees": fees} | self._in_force(whose, first)
            lines = _made(tables, ["parts"], ("plain_fees", "fees"), by="subscription")
            return self._codes.lines(lines, whose)

        yield from side_by_side(some, self._firsts(whose))

    def _firsts(self, whose: Numbered) -> range:
        """The first number of each part; there is one also of nobody."""
        return range(0, max(len(whose.tenants), 1), self._at_once)

    def _in_force(self, whose: Numbered, first: int) -> dict[str, pa.Table]:
        """What is in force for some subscriptions, from a number on."""
        plain, segments = (
            self._codes.coded(between(table, "subscription", first, self._at_once))
            for table in (whose.plain, whose.segments)
        )
        return {"one_plan": self._codes.with_first_rate(plain), "segments": segments}

    def _valued(self, uses: pa.Table) -> pa.Array:
        """Whose usage tells values apart, so that there is more to a meter than one quantity."""
        meters = pc.unique(self._codes.coded(matrix_table(self._catalogs))["meter"])
        by_value = pc.is_in(uses["meter"], value_set=meters)
        valued = pc.or_(by_value, pc.not_equal(uses["value"], ""))
        return pc.unique(uses["tenant"].filter(valued))

    def _offered(self) -> dict[str, pa.Table]:
        """What the price lists say, by number."""
        small = {
            "cards": card_table(self._catalogs),
            "matrix_prices": matrix_table(self._catalogs),
            "divisors": divisor_table(),
            "policies": policy_table(self._catalogs),
        }
        rates = {
            "offered_rates": rate_table(self._catalogs),
            "offered_pieces": piece_table(self._catalogs),
        }
        coded = {name: self._codes.coded(table) for name, table in (small | rates).items()}
        return coded | {name: self._codes.with_first_rate(coded[name]) for name in rates}

    def _splits(self) -> str:
        plans = [plan for each in self._catalogs.values() for plan in each.plans.values()]
        are_usual = all(plan.policies.are_usual_for_usage for plan in plans)
        return "splits" if are_usual else "splits_by_policy"


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


def _made(
    tables: Mapping[str, pa.Table], scripts: Iterable[str], statements: tuple[str, str], by: str
) -> pa.Table:
    """Lines by number, in order: those of one plan, and those of the few who had several."""
    with database(tables, threads=1) as connection:
        connection.execute("CREATE TABLE plain AS FROM one_plan")
        for script in scripts:
            connection.execute(_TEXTS[script])
        of_one, of_several = (
            connection.sql(_TEXTS[statement]).to_arrow_table() for statement in statements
        )
    return merged(of_one, of_several, by)
