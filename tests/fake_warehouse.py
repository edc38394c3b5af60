"""The log and the warehouse in memory, as the real ones promise."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import astuple, dataclass, field

import pyarrow as pa

from pipelines.columns.tables import as_table, rows_of, table_of
from pipelines.usage.metering import Metered, meter_usage
from pipelines.usage.usage_reading import bounds_of
from schemas.catalog import Catalog
from schemas.closing import (
    CounterComparison,
    CountersCompared,
)
from schemas.late_usage import LateRow
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.ports import Log
from schemas.quantity import clamped
from schemas.quota import WindowKind
from schemas.repeats import RepeatedIds
from schemas.tables import (
    COUNTER_COLUMNS,
    TOTAL_COLUMNS,
    USAGE_COLUMNS,
    ArrowStream,
)
from schemas.vector import Vector

DAY_MS = 86_400_000


@dataclass
class FakeLog:
    """How far the log reaches and was read; both may be moved by a test."""

    end: Vector = field(default_factory=Vector)
    landing: Vector = field(default_factory=Vector)
    earlier: Vector = field(default_factory=Vector)

    def ends(self) -> Vector:
        return self.end

    def landed(self) -> Vector:
        return Vector({**self.earlier, **self.landing})

    def drained(self) -> Vector:
        return self.earlier


@dataclass(frozen=True, slots=True)
class Used:
    """One counted event of a meter, where it lies in the log, and whether its counter saw it."""

    tenant: str
    meter: str
    time_ms: int
    quantity_micro: int
    partition: int = 0
    offset: int = 0
    counted: bool = True
    value: str = ""


@dataclass
class FakeWarehouse:
    """Usage in memory, and counters that saw it; `repeats` is what they counted twice."""

    events: list[Used] = field(default_factory=list)
    counters_at: Vector = field(default_factory=Vector)
    repeats: dict[tuple[str, str], int] = field(default_factory=dict)
    in_two_months: list[RepeatedIds] = field(default_factory=list)

    def counted(self) -> Vector:
        return self.counters_at

    def usage(
        self,
        month: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> ArrowStream:
        cuts = {row["tenant"]: row["bounds"] for row in rows_of(pa.table(bounds))}
        aggregations = {meter.name: meter.aggregation for meter in meters}
        read: defaultdict[tuple[str, str], list[Metered]] = defaultdict(list)
        for event in self._events(month, as_of):
            metered = Metered(
                event.time_ms, event.offset, event.quantity_micro, dimension=event.value
            )
            read[event.tenant, event.meter].append(metered)
        rows = (
            (tenant, meter, segment, value, clamped(quantity.micro), quantity.events)
            for (tenant, meter), events in sorted(read.items())
            if not only_bounded or tenant in cuts
            for (segment, value), quantity in sorted(
                meter_usage(
                    aggregations.get(meter, "sum"), events, month, cuts.get(tenant, ())
                ).items()
            )
        )
        table: ArrowStream = table_of(rows, USAGE_COLUMNS)
        return table

    def totals(
        self,
        month: BillingPeriod,
        as_of: Vector,
        meters: Iterable[Meter],
        tenants: Collection[str] | None = None,
    ) -> ArrowStream:
        own = bounds_of(dict.fromkeys(tenants or (), ()))
        read = self.usage(month, as_of, own, meters, only_bounded=tenants is not None)
        table = as_table(read, USAGE_COLUMNS)
        totals: Counter[tuple[str, str]] = Counter()
        for row in rows_of(table):
            totals[row["tenant"], row["meter"]] += row["quantity_micro"]
        rows = ((*key, clamped(micro)) for key, micro in sorted(totals.items()))
        found: ArrowStream = table_of(rows, TOTAL_COLUMNS)
        return found

    def late(self, period: BillingPeriod, after: Vector, until: Vector) -> set[str]:
        return {event.tenant for event in self._between(period, after, until)}

    def late_rows(
        self,
        period: BillingPeriod,
        after: Vector,
        until: Vector,
        tenants: Collection[str],
        meters: Collection[str],
    ) -> list[LateRow]:
        late: defaultdict[tuple[str, str], list[Used]] = defaultdict(list)
        for event in self._between(period, after, until):
            if event.tenant in tenants and event.meter in meters:
                late[event.tenant, event.meter].append(event)
        rows: list[LateRow] = []
        seen: set[tuple[str, int, int]] = set()
        for key, own in sorted(late.items()):
            places = {(key[0], event.partition, event.offset) for event in own}
            micro = sum(event.quantity_micro for event in own)
            rows.append(LateRow(*key, len(own), len(places - seen), micro, 0, 0, 0))
            seen |= places
        return rows

    def repeated_ids(self, month: BillingPeriod, as_of: Vector) -> list[RepeatedIds]:
        return self.in_two_months

    def _between(self, period: BillingPeriod, after: Vector, until: Vector) -> Iterator[Used]:
        for event in self._events(period, until):
            if event.offset >= after[1, event.partition]:
                yield event

    def compare_counters(
        self, month: BillingPeriod, catalog: Catalog, log: Log
    ) -> CountersCompared:
        is_month = month == BillingPeriod.month_of(month.start_ms)
        rows = self._compared(month, "billing_period") if is_month else []
        if not is_month:
            for start_ms in range(month.start_ms, month.end_ms, DAY_MS):
                rows += self._compared(BillingPeriod(start_ms, start_ms + DAY_MS), "day")
        rows = [row for row in rows if row.meter in catalog.meters]
        behind = {p: n for (_, p), n in log.landed().behind(self.counters_at).items()}
        return CountersCompared(table_of(map(astuple, sorted(rows)), COUNTER_COLUMNS), behind)

    def _compared(self, window: BillingPeriod, kind: WindowKind) -> list[CounterComparison]:
        events = list(self._events(window, self.counters_at))
        counters = _sums(event for event in events if event.counted)
        return [
            CounterComparison(
                *key,
                kind,
                window.start_ms,
                counters.get(key, 0) + self.repeats.get(key, 0),
                total,
                self.repeats.get(key, 0),
            )
            for key, total in sorted(_sums(events).items())
        ]

    def _events(self, month: BillingPeriod, as_of: Vector) -> Iterator[Used]:
        for event in self.events:
            if month.contains(event.time_ms) and event.offset < as_of[1, event.partition]:
                yield event


def _sums(events: Iterable[Used]) -> dict[tuple[str, str], int]:
    sums: Counter[tuple[str, str]] = Counter()
    for event in events:
        sums[event.tenant, event.meter] += event.quantity_micro
    return {key: clamped(micro) for key, micro in sums.items()}
