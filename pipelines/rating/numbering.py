"""Subscriptions and their usage by number: whose a row is, in four bytes.

Numbers are in the order of tenant and id. Owns which subscriptions have one plan for the whole of
their billing period, and so are rated the short way.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.line_parts import begins
from pipelines.columns.tables import as_table
from pipelines.segments.billed_segments import periods_of
from schemas.period import BillingPeriod
from schemas.tables import SEGMENT_COLUMNS, USAGE_COLUMNS, ArrowStream

_KEYS = ("tenant", "subscription", "ordinal")
_TURNED_TO_OTHERS = (*_KEYS, "anchor_day", "interval", "phase")


@dataclass(frozen=True, slots=True)
class Numbered:
    """Subscriptions by number: their names, and the segments in force in their billing periods.

    `plain` are those with one plan for the whole period, a row each; `segments` are the others'.
    Both are by number, and by time.
    """

    tenants: pa.Array
    subscriptions: pa.Array
    plain: pa.Table
    segments: pa.Table

    def the_long_way(self, valued: pa.Array) -> "Numbered":
        """The same with these numbers among those of several plans."""
        if not len(valued):
            return self
        are = pc.is_in(self.plain["subscription"], value_set=valued)
        segments = pa.concat_tables([self.segments, self.plain.filter(are)])
        order = [("subscription", "ascending"), ("starts_ms", "ascending")]
        plain = self.plain.filter(pc.invert(are))
        return replace(self, plain=plain, segments=segments.sort_by(order))


def numbered(segments: ArrowStream, month: BillingPeriod) -> Numbered:
    """The subscriptions in a table of segments, each for its billing period that ends in the month.

    Paused segments, and those outside the period, have no row.
    """
    rows = _in_order(as_table(segments, SEGMENT_COLUMNS))
    is_first = begins(rows["subscription"])
    heads = rows.select(["tenant", "subscription"]).filter(is_first)
    tenants, subscriptions = (heads[name].combine_chunks() for name in heads.column_names)
    found = _of_numbers(rows, is_first, month)
    in_force, is_whole = _in_force(found, rows["phase"]), _is_whole(found)
    plain = found.filter(pc.and_(in_force, is_whole))
    others = found.filter(pc.and_(in_force, pc.invert(is_whole)))
    return Numbered(tenants, subscriptions, plain, others)


def used(usage: ArrowStream, tenants: pa.Array, meters: pa.Array) -> pa.Table:
    """Usage by the numbers of its tenants and meters, by tenant; of others, it is left out."""
    rows = as_table(usage, USAGE_COLUMNS)
    columns = {
        "tenant": _places(rows["tenant"], tenants),
        "meter": pc.index_in(rows["meter"], value_set=meters).cast(pa.int16()),
        **{name: rows[name] for name in ("segment", "value", "quantity_micro")},
    }
    rows = pa.table(columns)
    if rows["tenant"].null_count or rows["meter"].null_count:
        rows = rows.filter(pc.and_(pc.is_valid(rows["tenant"]), pc.is_valid(rows["meter"])))
    return rows if _is_rising(rows["tenant"]) else rows.sort_by("tenant")


def between(table: pa.Table, column: str, first: int, count: int) -> pa.Table:
    """The rows of `count` subscriptions from a number on; a table is in their order."""
    numbers = table[column]
    start, end = (
        bisect_left(range(len(numbers)), number, key=lambda row: numbers[row].as_py())
        for number in (first, first + count)
    )
    return table.slice(start, end - start)


def _in_order(rows: pa.Table) -> pa.Table:
    is_ahead = pa.scalar(False)
    for name in reversed(_KEYS):
        one, next_ = _neighbours(rows[name])
        is_ahead = pc.or_(pc.less(one, next_), pc.and_(pc.equal(one, next_), is_ahead))
    if pc.all(is_ahead).as_py() in (True, None):
        return rows
    return rows.sort_by([(name, "ascending") for name in _KEYS])


def _of_numbers(rows: pa.Table, is_first: pa.Array, month: BillingPeriod) -> pa.Table:
    """The segments by the number of their subscription, with its billing period."""
    numbers = pc.subtract(pc.cumulative_sum(is_first.cast(pa.int32())), pa.scalar(1, pa.int32()))
    starts, ends = periods_of(rows["anchor_day"], month)
    columns = {name: rows[name] for name in rows.column_names if name not in _TURNED_TO_OTHERS}
    whose = {"tenant": numbers, "subscription": numbers}
    is_trial = pc.equal(rows["phase"], "trial")
    billed = {"is_trial": is_trial, "period_start_ms": starts, "period_end_ms": ends}
    return pa.table({**whose, **columns, **billed})


def _in_force(rows: pa.Table, phases: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which rows reach into their period and are not paused."""
    ends_after = pc.fill_null(pc.greater(rows["ends_ms"], rows["period_start_ms"]), True)
    reaches = pc.and_(pc.less(rows["starts_ms"], rows["period_end_ms"]), ends_after)
    return pc.and_(reaches, pc.not_equal(phases, "paused"))


def _is_whole(rows: pa.Table) -> pa.ChunkedArray:
    """Which rows are in force for the whole of their period, and no trial."""
    from_start = pc.less_equal(rows["starts_ms"], rows["period_start_ms"])
    to_end = pc.fill_null(pc.greater_equal(rows["ends_ms"], rows["period_end_ms"]), True)
    return pc.and_(pc.and_(from_start, to_end), pc.invert(rows["is_trial"]))


def _places(names: pa.ChunkedArray, known: pa.Array) -> pa.ChunkedArray:
    """The place of each name among those known; names that follow each other are looked up once."""
    runs = [pc.run_end_encode(chunk) for chunk in names.chunks if len(chunk)]
    values = pa.chunked_array([run.values for run in runs], names.type)
    places = pc.index_in(values, value_set=known)
    return pa.chunked_array(_repeated(runs, places), pa.int32())


def _repeated(runs: Iterable[pa.Array], places: pa.ChunkedArray) -> Iterable[pa.Array]:
    """Values by run as values by row."""
    first = 0
    for run in runs:
        own = places.slice(first, len(run.values)).combine_chunks()
        yield pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(run.run_ends, own))
        first += len(own)


def _is_rising(numbers: pa.ChunkedArray) -> bool:
    return pc.all(pc.less_equal(*_neighbours(numbers))).as_py() in (True, None)


def _neighbours(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """All but the last, and all but the first, so that each stands beside the one before it."""
    return column.slice(0, max(len(column) - 1, 0)), column.slice(1)
