"""Names as small numbers while a month is rated: joined, sorted and grouped many times as fast.

Owns the numbers and the way back; what is computed with them is in `pipelines.bulk_rating`. Numbers
are in the order of the names, so that what is sorted by them is sorted by name.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from operator import attrgetter, lt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.tables import as_table, padded
from schemas.catalog import Catalog
from schemas.money import MINOR_DIGITS
from schemas.period import BillingPeriod
from schemas.subscription import PlanSegment, Subscription
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS

_TERMS = {"currency": "int16", "plan": "int16", "catalog_version": "int64"}
_PERIOD = {"period_start_ms": "int64", "period_end_ms": "int64"}
_PLAIN = {"subscription": "int32", **_TERMS, **_PERIOD}
_SEGMENTS = {
    "tenant": "int32",
    "subscription": "int32",
    **_TERMS,
    "starts_ms": "int64",
    "ends_ms": "int64",
    "is_trial": "bool",
    **_PERIOD,
}


@dataclass(frozen=True, slots=True)
class Numbered:
    """Subscriptions by number, in the order of tenant and id, and the tables made of them.

    `plain` are those with one plan for the whole period, a row each; `segments` are the others'.
    """

    tenants: pa.Array
    subscriptions: pa.Array
    plain: pa.Table
    segments: pa.Table

    def tables(self, first: int, count: int) -> dict[str, pa.Table]:
        """What `sql/numbered_usage.sql` makes numbers of names by, for some subscriptions alone."""
        tenants = self.tenants.slice(first, count)
        numbers = pa.arange(first, first + len(tenants)).cast(pa.int32())
        return {
            "named": pa.table({"subscription": numbers, "tenant": tenants}),
            "one_plan": _between(self.plain, first, count),
            "several": _between(self.segments, first, count),
        }


class Codes:
    """The numbers of meters, plans and currencies of some price lists."""

    def __init__(self, catalogs: Mapping[int, Catalog]) -> None:
        meters = {name for catalog in catalogs.values() for name in catalog.priced_meters}
        plans = {name for catalog in catalogs.values() for name in catalog.plans}
        self.names = {
            "meter": pa.array(sorted(meters), pa.string()),
            "plan": pa.array(sorted(plans), pa.string()),
            "currency": pa.array(sorted(MINOR_DIGITS), pa.string()),
        }
        self._numbers = {
            column: {name: number for number, name in enumerate(names.to_pylist())}
            for column, names in self.names.items()
        }

    @property
    def meters(self) -> pa.Table:
        """The priced meters by number."""
        names = self.names["meter"]
        return pa.table({"meter": pa.arange(0, len(names)).cast(pa.int16()), "name": names})

    def coded(self, table: pa.Table) -> pa.Table:
        """A table with numbers in place of names; rows of names that are not known are left out."""
        for column in self.names.keys() & set(table.column_names):
            place = table.column_names.index(column)
            numbers = pc.index_in(table[column], value_set=self.names[column])
            table = table.set_column(place, column, numbers.cast(pa.int16()))
            table = table.filter(pc.is_valid(table[column]))
        return table

    def numbered(self, subscriptions: Iterable[Subscription], month: BillingPeriod) -> Numbered:
        """The subscriptions as rows of numbers."""
        found, tenants = _in_order(list(subscriptions))
        days = set(map(attrgetter("anchor_day"), found))
        periods = {day: BillingPeriod.ending_in(month, day) for day in days}
        plain = [_is_plain(each.segments, periods[each.anchor_day]) for each in found]
        several = [number for number, is_plain in enumerate(plain) if not is_plain]
        return Numbered(
            pa.array(tenants, pa.string()),
            pa.array(map(attrgetter("id"), found), pa.string()),
            self._plain(pa.array(plain, pa.bool_()), list(compress(found, plain)), periods),
            self._segments(several, found, periods),
        )

    def _plain(
        self, flags: pa.Array, found: list[Subscription], periods: Mapping[int, BillingPeriod]
    ) -> pa.Table:
        """A row for each subscription that has one plan."""
        currencies, plans = self._numbers["currency"], self._numbers["plan"]
        segments = [each.segments[0] for each in found]
        own = _periods([each.anchor_day for each in found], periods)
        columns = (
            pc.indices_nonzero(flags),
            [currencies[each.currency] for each in found],
            [plans[each.plan] for each in segments],
            list(map(attrgetter("catalog_version"), segments)),
            *own,
        )
        return _table(columns, _PLAIN)

    def _segments(
        self,
        several: list[int],
        found: list[Subscription],
        periods: Mapping[int, BillingPeriod],
    ) -> pa.Table:
        """Every segment in which a plan is in force, with the period that is billed."""
        currencies, plans = self._numbers["currency"], self._numbers["plan"]
        numbers = [n for n in several for each in found[n].segments if each.phase != "paused"]
        segments = [each for n in several for each in found[n].segments if each.phase != "paused"]
        columns = (
            numbers,
            numbers,
            [currencies[found[n].currency] for n in numbers],
            [plans[each.plan] for each in segments],
            [each.catalog_version for each in segments],
            [each.starts_ms for each in segments],
            [each.ends_ms for each in segments],
            [each.phase == "trial" for each in segments],
            *_periods([found[n].anchor_day for n in numbers], periods),
        )
        return _table(columns, _SEGMENTS)

    def lines(self, coded: pa.Table, whose: Numbered) -> pa.Table:
        """Lines (`LINE_COLUMNS`) by name again, with their ordinals; in the order they are in."""
        numbers = coded["subscription"].combine_chunks()
        columns = {
            "tenant": whose.tenants.take(numbers),
            "subscription": whose.subscriptions.take(numbers),
            "ordinal": _ordinals(numbers),
        }
        for name in coded.column_names:
            is_number = pa.types.is_integer(coded.schema.field(name).type)
            if name in self.names and is_number:
                columns[name] = self.names[name].take(coded[name])
            else:
                columns.setdefault(name, coded[name])
        order = [name for name in LINE_COLUMNS if name not in ADJUSTING_COLUMNS]
        named = pa.table({name: columns[name] for name in order})
        return as_table(padded(named, ADJUSTING_COLUMNS), LINE_COLUMNS)


def by_tenant(usage: pa.Table) -> pa.Table:
    """Usage (`USAGE_COLUMNS`) in the order of its tenants; as it is, if it comes so."""
    names = usage["tenant"]
    is_sorted = pc.all(pc.less_equal(names.slice(0, len(names) - 1), names.slice(1)))
    return usage if is_sorted.as_py() in (True, None) else usage.sort_by("tenant")


def _between(table: pa.Table, first: int, count: int) -> pa.Table:
    """The rows of the subscriptions from a number on; a table is in their order."""
    numbers = table["subscription"]
    start, end = (
        bisect_left(range(len(numbers)), number, key=lambda row: numbers[row].as_py())
        for number in (first, first + count)
    )
    return table.slice(start, end - start)


def _table(columns: Iterable[Any], kinds: Mapping[str, str]) -> pa.Table:
    """Columns, lists or arrays, as a table of these types."""
    arrays = [
        each.cast(pa.type_for_alias(kind))
        if isinstance(each, pa.Array)
        else pa.array(each, pa.type_for_alias(kind))
        for each, kind in zip(columns, kinds.values(), strict=True)
    ]
    return pa.table(arrays, names=list(kinds))


def _in_order(found: list[Subscription]) -> tuple[list[Subscription], list[str]]:
    """The subscriptions by tenant and id, and their tenants."""
    tenants = [each.tenant for each in found]
    if all(map(lt, tenants, islice(tenants, 1, None))):
        return found, tenants
    found = sorted(found, key=attrgetter("tenant", "id"))
    return found, [each.tenant for each in found]


def _periods(days: list[int], periods: Mapping[int, BillingPeriod]) -> tuple[pa.Array, pa.Array]:
    """Where the periods of these anchor days begin and end."""
    own = pa.array(days, pa.int64())
    starts = pa.array([it.start_ms for it in periods.values()], pa.int64())
    ends = pa.array([it.end_ms for it in periods.values()], pa.int64())
    places = pc.index_in(own, value_set=pa.array(list(periods), pa.int64()))
    return starts.take(places), ends.take(places)


def _is_plain(segments: Sequence[PlanSegment], period: BillingPeriod) -> bool:
    """Is one plan in force for the whole period, paid for?"""
    if len(segments) != 1:
        return False
    [only] = segments
    reaches = only.ends_ms is None or only.ends_ms >= period.end_ms
    return reaches and only.starts_ms <= period.start_ms and only.phase == "active"


def _ordinals(numbers: pa.Array) -> pa.Array:
    """0, 1, 2, … for each run of equal numbers."""
    if not len(numbers):
        return pa.array([], pa.int32())
    ends = pc.run_end_encode(numbers).run_ends
    starts = pa.concat_arrays([pa.array([0], ends.type), ends.slice(0, len(ends) - 1)])
    begun = pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, starts))
    return pc.subtract(pa.arange(0, len(numbers)), begun.cast(pa.int64())).cast(pa.int32())
