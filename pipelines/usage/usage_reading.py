"""Reading a month's usage: each tenant's for the billing period of its own that ends in the month.

Calendar months are read together, tenants with another anchor once for each of their periods: at
most thirty readings more, whatever their number. Of the meters that are asked for alone: the
warehouse is filled backwards with those of later price lists.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.ordering import in_order
from pipelines.columns.tables import as_table, rows_of, table_of
from pipelines.segments.billed_segments import BOUNDS
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.tables import TOTAL_COLUMNS, USAGE_COLUMNS, ArrowStream
from schemas.vector import Vector

Anchored = Mapping[str, BillingPeriod]
"""The billing periods of tenants for whom it is not the calendar month."""

ORDER = ("tenant", "meter", "segment", "value")
"""Of usage."""


def read_usage(
    reader: UsageReader,
    month: BillingPeriod,
    as_of: Vector,
    bounds: pa.Table,
    meters: Iterable[Meter],
    anchored: Anchored,
) -> pa.Table:
    """The usage (`USAGE_COLUMNS`) of all tenants, in `ORDER`; see `UsageReader.usage`."""
    meters = list(meters)

    def read(period: BillingPeriod, own: pa.Table, only_bounded: bool) -> pa.Table:
        found = reader.usage(period, as_of, own, meters, only_bounded=only_bounded)
        return _asked(as_table(found, USAGE_COLUMNS), meters)

    return in_order(pa.concat_tables(read_by_period(read, month, bounds, anchored)), ORDER)


def read_by_period(
    read: Callable[[BillingPeriod, pa.Table, bool], pa.Table],
    month: BillingPeriod,
    bounds: pa.Table,
    anchored: Anchored,
) -> Iterator[pa.Table]:
    """What `read` finds of each tenant in the billing period that is its own, by its bounds.

    It is asked for the calendar month of all, then for other periods, of those with bounds alone:
    whose period is one of these has bounds then, if only none.
    """
    by_calendar, others = _told_apart(bounds, anchored)
    yield _told_apart(read(month, by_calendar, False), anchored)[0]
    for period, tenants in by_period(anchored):
        names = pa.array(tenants, pa.string())
        own = others.filter(pc.is_in(others["tenant"], value_set=names))
        rest = names.filter(pc.invert(pc.is_in(names, value_set=own["tenant"].combine_chunks())))
        yield read(
            period, pa.concat_tables([own, bounds_of(dict.fromkeys(rest.to_pylist(), ()))]), True
        )


def read_usage_of(
    reader: UsageReader,
    periods: Mapping[str, BillingPeriod],
    as_of: Vector,
    bounds: Mapping[str, Sequence[int]],
    meters: Iterable[Meter],
) -> pa.Table:
    """The usage (`USAGE_COLUMNS`) of these tenants alone, each for a period of its own."""
    found, meters = [table_of([], USAGE_COLUMNS)], list(meters)
    for period, tenants in by_period(periods):
        own = bounds_of({tenant: bounds.get(tenant, ()) for tenant in tenants})
        read = reader.usage(period, as_of, own, meters, only_bounded=True)
        found.append(_asked(as_table(read, USAGE_COLUMNS), meters))
    return in_order(pa.concat_tables(found), ORDER)


def bounds_of(bounds: Mapping[str, Sequence[int]]) -> pa.Table:
    """The bounds of a few tenants, as `UsageReader.usage` takes them."""
    columns = {"tenant": list(bounds), "bounds": [list(rising) for rising in bounds.values()]}
    return pa.table(columns, schema=BOUNDS)


def _told_apart(rows: pa.Table, anchored: Anchored) -> tuple[pa.Table, pa.Table]:
    """The rows of tenants whose billing period is the calendar month, and those of the others."""
    if not anchored:
        return rows, rows.slice(0, 0)
    named = pc.is_in(rows["tenant"], value_set=pa.array(list(anchored), pa.string()))
    return rows.filter(pc.invert(named)), rows.filter(named)


def read_totals(
    reader: UsageReader,
    month: BillingPeriod,
    as_of: Vector,
    meters: Iterable[Meter],
    anchored: Anchored,
) -> pa.Table:
    """Usage by tenant and meter (`TOTAL_COLUMNS`) in any order, read independently.

    See `UsageReader.totals`.
    """
    meters = list(meters)
    totals = as_table(reader.totals(month, as_of, meters), TOTAL_COLUMNS)
    found = [_told_apart(totals, anchored)[0]]
    for period, tenants in by_period(anchored):
        found.append(as_table(reader.totals(period, as_of, meters, tenants), TOTAL_COLUMNS))
    return _asked(pa.concat_tables(found), meters)


def _asked(rows: pa.Table, meters: Iterable[Meter]) -> pa.Table:
    """The rows of these meters."""
    names = pa.array([meter.name for meter in meters], pa.string())
    is_asked = pc.is_in(rows["meter"], value_set=names)
    return rows if pc.all(is_asked).as_py() else rows.filter(is_asked)


def quantities(totals: ArrowStream) -> dict[tuple[str, str], int]:
    """A table of totals by (tenant, meter), for whoever looks at a few."""
    rows = rows_of(as_table(totals, TOTAL_COLUMNS))
    return {(row["tenant"], row["meter"]): row["quantity_micro"] for row in rows}


def by_period(anchored: Anchored) -> Iterator[tuple[BillingPeriod, list[str]]]:
    """Tenants by their billing period, in the order of time."""
    periods: defaultdict[BillingPeriod, list[str]] = defaultdict(list)
    for tenant, period in anchored.items():
        periods[period].append(tenant)
    return iter(sorted(periods.items()))
