"""What a meter makes of its events: each aggregation once, in plain Python.

The specification of the warehouse's statements (`stores/warehouse/queries/usage*.sql`), which must
equal it. Events are those that count: one for each id, cut by the closing's vector.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.catalog import Catalog
from schemas.meter import Aggregation, Meter
from schemas.money import divide_half_away
from schemas.period import BillingPeriod
from schemas.quantity import MICRO

UNIT_HOUR_MS = 3_600_000
"""A gauge's integral is in unit hours: 3 GB for 20 minutes are 1 GB-hour."""


class Metered(NamedTuple):
    """What a meter reads of an event.

    Of two events of the same time the one with the greater `position` is the later. `dimension` is
    the value of the meter's pricing key.
    """

    time_ms: int
    position: int
    value_micro: int = MICRO
    member: str = ""
    dimension: str = ""


class Quantity(NamedTuple):
    """Usage in 1e-6 units, and the events that lie in the segment."""

    micro: int
    events: int


def meters_of(catalogs: Mapping[int, Catalog]) -> list[Meter]:
    """The meters of these versions of the price list, each by the newest that has it."""
    found: dict[str, Meter] = {}
    for version in sorted(catalogs):
        found |= catalogs[version].meters
    return list(found.values())


def meter_usage(
    aggregation: Aggregation,
    events: Iterable[Metered],
    period: BillingPeriod,
    bounds: Sequence[int] = (),
) -> dict[tuple[int, str], Quantity]:
    """A tenant's usage of a meter in a period, by (segment, dimension); nothing is left out.

    A segment's usage is what it adds: the aggregate from the period's start to the segment's end,
    less that to its start. So the segments add up to the aggregate of the whole period, and one
    may be negative: an average that falls, a latest value below the one before. `bounds` are those
    of `pipelines.segments.segments`. Events before the period matter to `time_weighted` alone.
    """
    by_dimension: dict[str, list[Metered]] = {}
    for event in sorted(events):
        by_dimension.setdefault(event.dimension, []).append(event)
    return {
        (segment, dimension): quantity
        for dimension, own in by_dimension.items()
        for segment, quantity in _by_segment(aggregation, own, period, bounds)
    }


def _by_segment(
    aggregation: Aggregation, events: list[Metered], period: BillingPeriod, bounds: Sequence[int]
) -> Iterator[tuple[int, Quantity]]:
    before = 0
    starts, ends = [period.start_ms, *bounds], [*bounds, period.end_ms]
    for segment, (start_ms, end_ms) in enumerate(zip(starts, ends, strict=True)):
        if aggregation == "time_weighted":
            reached = _integral(events, period.start_ms, end_ms)
        else:
            so_far = [e for e in events if period.start_ms <= e.time_ms < end_ms]
            reached = _AGGREGATES[aggregation](so_far) if so_far else 0
        count = sum(start_ms <= event.time_ms < end_ms for event in events)
        if count or reached != before:
            yield segment, Quantity(reached - before, count)
        before = reached


def _count(events: list[Metered]) -> int:
    return len(events) * MICRO


def _sum(events: list[Metered]) -> int:
    return sum(event.value_micro for event in events)


def _max(events: list[Metered]) -> int:
    return max(event.value_micro for event in events)


def _min(events: list[Metered]) -> int:
    return min(event.value_micro for event in events)


def _latest(events: list[Metered]) -> int:
    """Events are in the order of their time, then of their position."""
    return events[-1].value_micro


def _unique_count(events: list[Metered]) -> int:
    return len({event.member for event in events}) * MICRO


def _avg(events: list[Metered]) -> int:
    """Rounded half away from zero to 1e-6, once."""
    return divide_half_away(_sum(events), len(events))


def _integral(readings: list[Metered], start_ms: int, end_ms: int) -> int:
    """A gauge's value times the hours for which it held, floored to 1e-6 unit hours.

    A reading holds until the next one, the last one for ever: what was read before the start still
    holds at it.
    """
    micro_ms = 0
    nexts = [reading.time_ms for reading in readings[1:]] + [end_ms]
    for reading, next_ms in zip(readings, nexts, strict=True):
        held_ms = min(next_ms, end_ms) - max(reading.time_ms, start_ms)
        micro_ms += reading.value_micro * max(0, held_ms)
    return micro_ms // UNIT_HOUR_MS


_AGGREGATES: dict[str, Callable[[list[Metered]], int]] = {
    "count": _count,
    "sum": _sum,
    "max": _max,
    "min": _min,
    "latest": _latest,
    "unique_count": _unique_count,
    "avg": _avg,
}
