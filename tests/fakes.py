"""The ports in memory: a ledger, a log and a warehouse that behave as the real ones promise.

`FakeLedger.dies_at` kills a use case before its n-th write, as `kill -9` would.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import pyarrow as pa

from pipelines.draft_parts import among, documents_of, heads_of, invoices_of, lines_of
from pipelines.metering import Metered, meter_usage
from pipelines.reconciliation import rows_of_table
from pipelines.segment_tables import segment_table
from pipelines.tables import as_table, rows_of, table_of
from pipelines.usage_reading import bounds_of
from schemas.catalog import Catalog
from schemas.closing import (
    Closing,
    ClosingState,
    CounterComparison,
    CountersCompared,
    Reconciliation,
)
from schemas.errors import Conflict, NotFound
from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    REDEMPTION_COLUMNS,
    Extras,
)
from schemas.invoice import Invoice, InvoiceState, MonthTotal
from schemas.late_usage import LateRow
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.ports import EVERYBODY, LINE_WORKS, LineWork, Log, TenantRange
from schemas.quota import WindowKind
from schemas.repeats import RepeatedIds
from schemas.subscription import Subscription
from schemas.tables import (
    COUNTER_COLUMNS,
    LINE_COLUMNS,
    RECONCILIATION_COLUMNS,
    SEGMENT_COLUMNS,
    TOTAL_COLUMNS,
    USAGE_COLUMNS,
    ArrowStream,
)
from schemas.vector import Vector

EXTRAS = {
    "buyers": BUYER_COLUMNS,
    "redemptions": REDEMPTION_COLUMNS,
    "add_ons": ADD_ON_COLUMNS,
    "items": ITEM_COLUMNS,
    "credits": CREDIT_COLUMNS,
}


DAY_MS = 86_400_000


class Killed(BaseException):
    """The process ends here; nothing catches it."""


@dataclass
class FakeLedger:
    """The month's close in memory. `writes` names each write that happened."""

    catalogs: dict[int, Catalog]
    subscribed: list[Subscription] = field(default_factory=list)
    dies_at: int | None = None
    writes: list[str] = field(default_factory=list)
    closings: dict[str, Closing] = field(default_factory=dict)
    _usage: dict[str, pa.Table] = field(default_factory=dict)
    _segments: dict[str, pa.Table] = field(default_factory=dict)
    _lines: dict[tuple[str, str], pa.Table] = field(default_factory=dict)
    _invoices: dict[str, Invoice] = field(default_factory=dict)
    _reconciled: dict[str, pa.Table] = field(default_factory=dict)
    overrides: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    has: dict[str, list[tuple[Any, ...]]] = field(
        default_factory=lambda: {name: [] for name in EXTRAS}
    )
    """What tenants have beside their plans, whatever the month; see `schemas.extras`."""

    def _write(self, name: str) -> None:
        if self.dies_at is not None and len(self.writes) + 1 >= self.dies_at:
            raise Killed(name)
        self.writes.append(name)

    def catalog(self, version: int | None = None) -> tuple[int, Catalog]:
        number = max(self.catalogs, default=0) if version is None else version
        if number not in self.catalogs:
            raise NotFound(f"there is no version {number} of the price list")
        return number, self.catalogs[number]

    def subscriptions(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> list[Subscription]:
        own = (s for s in self.subscribed if tenants is None or s.tenant in tenants)
        found = [s for s in own if s.parts(period)]
        return sorted(found, key=lambda s: (s.tenant, s.id))

    def segments(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> ArrowStream:
        rows: ArrowStream = segment_table(self.subscriptions(period, tenants))
        return rows

    def closing(self, month: str) -> Closing | None:
        return self.closings.get(month)

    def opened_closings(self) -> list[Closing]:
        opened = (c for c in self.closings.values() if c.state is not ClosingState.AWAITING)
        return sorted(opened, key=lambda c: (c.opened_ms, c.month))

    def save_closing(self, closing: Closing) -> None:
        known = self.closings.get(closing.month)
        if known is not None and known.state is ClosingState.CLOSED:
            raise Conflict(f"{closing.month} is closed")
        self._write("save_closing")
        self.closings[closing.month] = closing

    def replace_usage(self, month: str, usage: ArrowStream) -> None:
        self._write("replace_usage")
        table = as_table(usage, USAGE_COLUMNS)
        self._usage[month] = table.sort_by(
            [(c, "ascending") for c in ("tenant", "meter", "segment", "value")]
        )

    def usage(self, month: str) -> ArrowStream:
        stored: ArrowStream = self._usage.get(month, table_of([], USAGE_COLUMNS))
        return stored

    def replace_billed_segments(self, month: str, segments: ArrowStream) -> None:
        self._write("replace_billed_segments")
        self._segments[month] = as_table(segments, SEGMENT_COLUMNS)

    def billed_segments(self, month: str) -> ArrowStream | None:
        return self._segments.get(month)

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        self._write(f"replace_lines {work}")
        self._lines[month, work] = as_table(lines, LINE_COLUMNS)

    def extras(self, month: str) -> Extras:
        return Extras(**{name: table_of(rows, EXTRAS[name]) for name, rows in self.has.items()})

    def lines(self, month: str, works: Sequence[LineWork] = LINE_WORKS) -> ArrowStream:
        none = table_of([], LINE_COLUMNS)
        tables = [self._lines.get((month, work), none) for work in works]
        tagged = [
            t.append_column("work", pa.array([n] * len(t), "int32")) for n, t in enumerate(tables)
        ]
        order = [(c, "ascending") for c in ("tenant", "subscription", "work", "ordinal")]
        sorted_lines: ArrowStream = pa.concat_tables(tagged).sort_by(order).drop_columns("work")
        return sorted_lines

    def replace_drafts(self, month: str, parts: Iterable[tuple[ArrowStream, ArrowStream]]) -> int:
        drafts = [each for part in parts for each in invoices_of(*part)]
        self._write("replace_drafts")
        final = {i.id: i for i in self._invoices.values() if i.state is not InvoiceState.DRAFT}
        kept = {i.id: i for i in self._invoices.values() if i.month != month} | final
        self._invoices = {i.id: i for i in drafts} | kept
        return sum(i.month == month for i in final.values())

    def invoice_heads(self, month: str) -> ArrowStream:
        heads: ArrowStream = heads_of(self.invoices(month))
        return heads

    def invoice_documents(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        documents: ArrowStream = documents_of(among(self.invoices(month), tenants))
        return documents

    def invoice_lines(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        lines: ArrowStream = lines_of(among(self.invoices(month), tenants))
        return lines

    def record_reconciliation(self, month: str, rows: ArrowStream) -> None:
        self._write("record_reconciliation")
        self._reconciled[month] = as_table(rows, RECONCILIATION_COLUMNS)

    def reconciliation(self, month: str) -> ArrowStream:
        stored: ArrowStream = self._reconciled.get(month, table_of([], RECONCILIATION_COLUMNS))
        return stored

    def is_reconciled(self, month: str) -> bool:
        return bool(self.compared(month))

    def compared(self, month: str) -> list[Reconciliation]:
        """The comparison as a test looks at it."""
        return rows_of_table(self.reconciliation(month))

    def hold(self, month: str, reasons: Mapping[str, str]) -> None:
        self._write("hold")
        for invoice in self.invoices(month, [InvoiceState.DRAFT]):
            self._invoices[invoice.id] = replace(invoice, held=reasons.get(invoice.tenant))

    def override(self, month: str, tenant: str, who: str, why: str) -> None:
        if not self.invoices(month, [InvoiceState.DRAFT], tenant):
            raise NotFound(f"tenant {tenant!r} has no draft in {month}")
        self._write("override")
        self.overrides[month, tenant] = (who, why)

    def finalize(self, month: str, seller: str, issued_ms: int, due_ms: int) -> int:
        self._write("finalize")
        reconciled = {row.tenant for row in self.compared(month)}
        drafts = self.invoices(month, [InvoiceState.DRAFT])
        overridden = {tenant for at, tenant in self.overrides if at == month}
        passing = {i.tenant for i in drafts if i.held is None} & reconciled | overridden
        ready = [i for i in drafts if i.tenant in passing]
        numbered = sum(i.month == month and i.number is not None for i in self._invoices.values())
        for ordinal, invoice in enumerate(ready, start=numbered + 1):
            state = InvoiceState.FINALIZED if invoice.total_minor > 0 else InvoiceState.PAID
            self._invoices[invoice.id] = replace(
                invoice,
                number=f"{month}-{ordinal:06d}",
                state=state,
                issued_ms=issued_ms,
                due_ms=due_ms,
            )
        self.closings[month] = replace(self.closings[month], state=ClosingState.CLOSED)
        return len(ready)

    def invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[Invoice]:
        found = [
            invoice
            for invoice in self._invoices.values()
            if month in (None, invoice.month)
            and tenant in (None, invoice.tenant)
            and (not states or invoice.state in states)
        ]
        return sorted(found, key=lambda i: (i.month, i.tenant, i.subscription, i.kind, i.id))

    def month_totals(self, first: str, last: str) -> list[MonthTotal]:
        live = (i for i in self.invoices() if i.state is not InvoiceState.VOID)
        amounts: defaultdict[tuple[str, str, InvoiceState], list[int]] = defaultdict(list)
        for invoice in live:
            if first <= invoice.month <= last:
                amounts[invoice.month, invoice.currency, invoice.state].append(invoice.total_minor)
        return [MonthTotal(*key, len(own), sum(own)) for key, own in sorted(amounts.items())]

    def invoices_of(self, tenants: Collection[str]) -> list[Invoice]:
        live = (i for i in self.invoices() if i.state is not InvoiceState.VOID)
        return [i for i in live if i.tenant in tenants]

    def put(self, invoice: Invoice) -> None:
        """Store an invoice as a test wants it."""
        self._invoices[invoice.id] = invoice

    def contents(self) -> tuple[object, ...]:
        """All that the ledger holds, to compare two of them."""
        tables = [(key, t.to_pylist()) for key, t in sorted(self._lines.items())]
        usage = [(key, t.to_pylist()) for key, t in sorted(self._usage.items())]
        compared = {month: self.compared(month) for month in self._reconciled}
        return self.closings, usage, tables, self.invoices(), compared


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
            (tenant, meter, segment, value, *quantity)
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
        rows = ((*key, micro) for key, micro in sorted(totals.items()))
        found: ArrowStream = table_of(rows, TOTAL_COLUMNS)
        return found

    def late(self, period: BillingPeriod, after: Vector, until: Vector) -> set[str]:
        return {event.tenant for event in self._between(period, after, until)}

    def late_rows(
        self, period: BillingPeriod, after: Vector, until: Vector, tenants: Collection[str]
    ) -> list[LateRow]:
        late: defaultdict[tuple[str, str], list[Used]] = defaultdict(list)
        for event in self._between(period, after, until):
            if event.tenant in tenants:
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
    return dict(sums)
