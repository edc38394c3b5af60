"""Whose plans a month bills, and for when, from the table of segments: no object of a tenant.

The specification is `pipelines.segments.segments` and `Subscription.billed_in`; this owns only the
speed.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.line_parts import begins
from schemas.period import BillingPeriod

BOUNDS = pa.schema({"tenant": pa.string(), "bounds": pa.list_(pa.int64())})
"""The instants at which each tenant's parts begin and end, rising."""


def in_force(segments: pa.Table, month: BillingPeriod) -> pa.Table:
    """The rows (`SEGMENT_COLUMNS`) that are billed: with `start_ms` and `end_ms` of each part.

    The billing period of a subscription is its own that ends in the month.
    """
    return _cut(segments, *periods_of(segments["anchor_day"], month))


def in_force_within(segments: pa.Table, period: BillingPeriod) -> pa.Table:
    """The same for one period of all, whatever is billed when."""
    return _cut(segments, pa.scalar(period.start_ms), pa.scalar(period.end_ms))


def _cut(
    segments: pa.Table, starts: pa.ChunkedArray | pa.Scalar, ends: pa.ChunkedArray | pa.Scalar
) -> pa.Table:
    cut = segments.append_column("start_ms", pc.max_element_wise(segments["starts_ms"], starts))
    cut = cut.append_column("end_ms", pc.min_element_wise(segments["ends_ms"], ends))
    reaches = pc.less(cut["start_ms"], cut["end_ms"])
    return cut.filter(pc.and_(reaches, pc.not_equal(cut["phase"], "paused")))


def periods_of(
    days: pa.ChunkedArray, month: BillingPeriod
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Where the billing periods of these anchor days begin and end that end in the month."""
    each = pc.unique(days)
    periods = [BillingPeriod.ending_in(month, day) for day in each.to_pylist()]
    places = pc.index_in(days, value_set=each)
    starts = pa.array([it.start_ms for it in periods], pa.int64())
    ends = pa.array([it.end_ms for it in periods], pa.int64())
    return starts.take(places), ends.take(places)


def subscribed(segments: pa.Table, month: BillingPeriod) -> pa.Table:
    """All rows of the subscriptions that are billed for any of them."""
    billed = in_force(segments, month)
    if billed.num_rows == segments.num_rows:
        return segments
    names = pc.unique(billed["subscription"])
    return segments.filter(pc.is_in(segments["subscription"], value_set=names))


def told_versions(segments: pa.Table, month: BillingPeriod) -> set[int]:
    """The price lists that the month's invoices may need; see `pipelines.rating.fee_terms`."""
    told = segments["catalog_version"].filter(are_told(segments, month))
    return set(pc.unique(told).to_pylist())


def are_told(segments: pa.Table, month: BillingPeriod) -> pa.ChunkedArray:
    """For each segment, may the month's invoice tell of it? See `pipelines.rating.fee_terms`.

    What was charged in advance is known by the period before, so that one's as well.
    """
    days = pc.unique(segments["anchor_day"])
    periods = [BillingPeriod.ending_in(month, day) for day in days.to_pylist()]
    earlier = [
        BillingPeriod.around(period.start_ms - 1, day).start_ms
        for period, day in zip(periods, days.to_pylist(), strict=True)
    ]
    places = pc.index_in(segments["anchor_day"], value_set=days)
    firsts = pa.array(earlier, pa.int64()).take(places)
    ends = pa.array([period.end_ms for period in periods], pa.int64()).take(places)
    goes_on = pc.fill_null(pc.greater_equal(segments["ends_ms"], firsts), True)
    return pc.and_(goes_on, pc.less_equal(segments["starts_ms"], ends))


def bounds_table(parts: pa.Table) -> pa.Table:
    """The bounds of each tenant's parts (`BOUNDS`), as `segments.bounds` has them.

    `parts` are those in force, by tenant and in time order.
    """
    parts = parts.combine_chunks()
    count = parts.num_rows
    is_first = begins(parts["tenant"])
    starts, ends = (parts[name].combine_chunks() for name in ("start_ms", "end_ms"))
    before = pa.concat_arrays(
        [pa.nulls(min(count, 1), pa.int64()), ends.slice(0, max(count - 1, 0))]
    )
    is_new = pc.or_(is_first, pc.fill_null(pc.not_equal(before, starts), True))
    # Each part's start and end in turn; a start where the part before ended is that one bound.
    places = pa.arange(0, 2 * count)
    turns = pc.add(pc.divide(places, 2), pc.multiply(pc.bit_wise_and(places, 1), count))
    instants = pa.concat_arrays([starts, ends]).take(turns)
    is_kept = pa.concat_arrays([is_new, pa.repeat(True, count)]).take(turns)
    sizes = pc.add(is_new.cast(pa.int32()), pa.scalar(1, pa.int32()))
    reached = pc.subtract(pc.cumulative_sum(sizes), sizes)
    kept = instants.filter(is_kept)
    offsets = pa.concat_arrays([reached.filter(is_first), pa.array([len(kept)], pa.int32())])
    lists = pa.ListArray.from_arrays(offsets, kept)
    return pa.table([parts["tenant"].filter(is_first), lists], schema=BOUNDS)


def anchored(segments: pa.Table, month: BillingPeriod) -> Mapping[str, BillingPeriod]:
    """The billing periods of tenants for whom it is not the calendar month."""
    own = segments.filter(pc.not_equal(segments["anchor_day"], 1))
    days = zip(own["tenant"].to_pylist(), own["anchor_day"].to_pylist(), strict=True)
    return {tenant: BillingPeriod.ending_in(month, day) for tenant, day in days}
