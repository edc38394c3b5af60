"""Where the running month's usage is going: what was used so far, and seven days' pace to its end.

Only usage is projected, and of meters that add up alone; the others stay at what they are now. What
is projected is a guess and never billed. One of more than can be said is said to be as much.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.engine import database
from pipelines.columns.tables import as_table, rows_of, table_of
from pipelines.segments.billed_segments import bounds_table, in_force_within
from pipelines.segments.segment_tables import subscriptions_of
from pipelines.segments.segments import parts
from schemas.period import BillingPeriod
from schemas.quantity import clamped
from schemas.subscription import Subscription
from schemas.tables import USAGE_COLUMNS, ArrowStream

_SQL = files("pipelines") / "sql"
_CLAMPED, _ADDED = ((_SQL / f"{name}.sql").read_text() for name in ("clamped", "usage_added"))

PACE_MS = 7 * 86_400_000
"""How far back the pace is taken from."""

Pace = Mapping[tuple[str, str], int]
"""Recent usage in 1e-6 units by (meter, value)."""


def pace_period(now_ms: int) -> BillingPeriod:
    """The seven days before now."""
    return BillingPeriod(now_ms - PACE_MS, now_ms)


def pace_bounds(segments: pa.Table, now_ms: int) -> pa.Table:
    """By what the recent usage is cut, so that only time with a plan counts."""
    return bounds_table(in_force_within(segments, pace_period(now_ms)))


def projected(
    used: pa.Table,
    recent: ArrowStream,
    segments: pa.Table,
    month: BillingPeriod,
    now_ms: int,
    additive: Iterable[str],
) -> pa.Table:
    """The usage (`USAGE_COLUMNS`) with what is still to come until each billing period's end.

    `segments` (`SEGMENT_COLUMNS`) are the subscriptions. `recent` is that of `pace_period`, cut by
    `pace_bounds`. A tenant who has had a plan for two days has the pace of these two. 700 tokens in
    seven days, three days to go: 300 more, in the plan that is in force by then.
    """
    paces = _by_segment(recent, frozenset(additive))
    tenants = pa.array(paces, pa.string())
    going_on = segments.filter(pc.is_in(segments["tenant"], value_set=tenants))
    added = (
        (each.tenant, *row, 0)
        for each in subscriptions_of(going_on)
        for row in _to_come(each, paces[each.tenant], month, now_ms)
    )
    return _summed(pa.concat_tables([used, table_of(added, USAGE_COLUMNS)]))


def _by_segment(
    recent: ArrowStream, additive: frozenset[str]
) -> dict[str, dict[int, Counter[tuple[str, str]]]]:
    found: defaultdict[str, dict[int, Counter[tuple[str, str]]]] = defaultdict(dict)
    for row in rows_of(as_table(recent, USAGE_COLUMNS)):
        if row["meter"] in additive:
            own = found[row["tenant"]].setdefault(row["segment"], Counter())
            own[row["meter"], row["value"]] += row["quantity_micro"]
    return found


def _to_come(
    subscription: Subscription,
    by_segment: Mapping[int, Counter[tuple[str, str]]],
    month: BillingPeriod,
    now_ms: int,
) -> Iterator[tuple[str, int, str, int]]:
    """Rows of (meter, segment, value, 1e-6 units) for the time that is left, floored."""
    pace, lasted_ms = _pace(subscription, by_segment, now_ms)
    if not lasted_ms:
        return
    for part in parts(subscription, subscription.billed_in(month)):
        left_ms = part.period.end_ms - max(part.period.start_ms, now_ms)
        if left_ms <= 0:
            continue
        for (meter, value), micro in sorted(pace.items()):
            yield meter, part.number, value, clamped(max(micro, 0) * left_ms // lasted_ms)


def _pace(
    subscription: Subscription, by_segment: Mapping[int, Counter[tuple[str, str]]], now_ms: int
) -> tuple[Pace, int]:
    """What was used while a plan was in force, and for how long that was."""
    lived = parts(subscription, pace_period(now_ms))
    used: Counter[tuple[str, str]] = Counter()
    for part in lived:
        used.update(by_segment.get(part.number, Counter()))
    return used, sum(part.period.duration_ms for part in lived)


def _summed(table: pa.Table) -> pa.Table:
    """One row for each tenant, meter, segment and value, in their order."""
    with database({"usage": table}) as connection:
        connection.execute(_CLAMPED)
        return as_table(connection.sql(_ADDED).to_arrow_table(), USAGE_COLUMNS)
