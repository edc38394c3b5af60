"""The ledger in memory, as the real one promises; log and warehouse: `tests.fake_warehouse`.

`FakeLedger.dies_at` kills a use case before its n-th write, as `kill -9` would.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from pipelines.checks.reconciliation import rows_of_table
from pipelines.columns.tables import as_table, table_of
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.closing import (
    Closing,
    ClosingState,
    Reconciliation,
)
from schemas.errors import Conflict, NotFound, ReconciliationFailed
from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    REDEMPTION_COLUMNS,
    Extras,
)
from schemas.invoice import Invoice, InvoiceState, MonthTotal
from schemas.ledger_ports import EVERYBODY, LINE_WORKS, LineWork, TenantRange
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.tables import (
    HEAD_COLUMNS,
    LINE_COLUMNS,
    RECONCILIATION_COLUMNS,
    SEGMENT_COLUMNS,
    USAGE_COLUMNS,
    ArrowStream,
)
from tests.invoice_tables import among, documents_of, heads_of, invoices_of, lines_of

EXTRAS = {
    "buyers": BUYER_COLUMNS,
    "redemptions": REDEMPTION_COLUMNS,
    "add_ons": ADD_ON_COLUMNS,
    "items": ITEM_COLUMNS,
    "credits": CREDIT_COLUMNS,
}


class Killed(BaseException):
    """The process ends here; nothing catches it."""


@dataclass
class FakeLedger:
    """The month's close in memory. `writes` names each write that happened."""

    sold: dict[int, Catalog]
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
    _overridden: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """The reasons that overrides are of."""
    has: dict[str, list[tuple[Any, ...]]] = field(
        default_factory=lambda: {name: [] for name in EXTRAS}
    )
    """What tenants have beside their plans, whatever the month; see `schemas.extras`."""
    replanned: list[tuple[str, int, int]] = field(default_factory=list)
    """Changes of plans: whose, from which instant on, and when they were recorded."""

    def _write(self, name: str) -> None:
        if self.dies_at is not None and len(self.writes) + 1 >= self.dies_at:
            raise Killed(name)
        self.writes.append(name)

    def catalog(self, version: int | None = None) -> tuple[int, Catalog]:
        number = max(self.sold, default=0) if version is None else version
        if number not in self.sold:
            raise NotFound(f"there is no version {number} of the price list")
        return number, self.sold[number]

    def catalogs(self) -> dict[int, Catalog]:
        return self.sold

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

    def replan(self, after: Subscription, effective_ms: int, recorded_ms: int) -> None:
        """Let a tenant have another timeline, as a command or a file does."""
        self.subscribed = [after if it.id == after.id else it for it in self.subscribed]
        self.replanned.append((after.tenant, effective_ms, recorded_ms))

    def tenants_replanned(
        self, until_ms: int, since_ms: int, tenants: Collection[str] | None = None
    ) -> set[str]:
        return {
            tenant
            for tenant, effective_ms, recorded_ms in self.replanned
            if recorded_ms >= since_ms and effective_ms <= until_ms
            if tenants is None or tenant in tenants
        }

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

    def invoice_heads(self, month: str, columns: Mapping[str, str] = HEAD_COLUMNS) -> ArrowStream:
        heads: ArrowStream = heads_of(self.invoices(month), columns)
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
        [draft] = self.invoices(month, [InvoiceState.DRAFT], tenant)
        self._overridden[month, tenant] = draft.held

    def finalize(self, month: str, seller: str, issued_ms: int, due_ms: int) -> int:
        if not self.compared(month) and self.invoices(month):
            raise ReconciliationFailed(f"{month}: the drafts were not reconciled")
        self._write("finalize")
        reconciled = {row.tenant for row in self.compared(month)}
        drafts = self.invoices(month, [InvoiceState.DRAFT])
        overridden = {i.tenant for i in drafts if i.held == self._overridden.get((month, i.tenant))}
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
