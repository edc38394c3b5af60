"""A ledger that keeps what a month's close writes in memory, and reads all else from another.

Owns no rule; with it the close's own steps run whole, and nothing of them reaches the ledger.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa

from pipelines.close.closing import aggregate_usage, draft_invoices, prorate_fees, rate_charges
from pipelines.columns.ordering import in_order
from pipelines.columns.tables import as_table, schema_of, table_of
from pipelines.invoices.invoice_parts import HEAD_ORDER
from pipelines.invoices.kept_drafts import KeptDrafts
from pipelines.usage.usage_reading import ORDER
from schemas.catalog import Catalog
from schemas.closing import Closing
from schemas.extras import Extras
from schemas.invoice import Invoice, InvoiceState, MonthTotal
from schemas.ledger_ports import EVERYBODY, LINE_WORKS, ClosingLedger, LineWork, TenantRange
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.progress import Progress
from schemas.subscription import Subscription
from schemas.tables import (
    DOCUMENT_COLUMNS,
    HEAD_COLUMNS,
    INVOICE_LINE_COLUMNS,
    LINE_COLUMNS,
    RECONCILIATION_COLUMNS,
    RECORD_COLUMNS,
    SEGMENT_COLUMNS,
    USAGE_COLUMNS,
    ArrowStream,
)

_LINE_ORDER = ("tenant", "subscription", "work", "ordinal")


class Unwritten:
    """A `ClosingLedger` for one month's drafts; other months are those of the ledger beneath."""

    def __init__(self, closing: Closing, ledger: ClosingLedger) -> None:
        self._closing = closing
        self._ledger = ledger
        self._usage = table_of([], USAGE_COLUMNS)
        self._segments: pa.Table | None = None
        self._lines: dict[LineWork, pa.Table] = {}
        self._drafts: list[KeptDrafts] = []
        self._reconciled = table_of([], RECONCILIATION_COLUMNS)

    def catalogs(self) -> dict[int, Catalog]:
        return self._ledger.catalogs()

    def catalog(self, version: int | None = None) -> tuple[int, Catalog]:
        return self._ledger.catalog(version)

    def subscriptions(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> list[Subscription]:
        return self._ledger.subscriptions(period, tenants)

    def segments(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> ArrowStream:
        return self._ledger.segments(period, tenants)

    def tenants_replanned(
        self, until_ms: int, since_ms: int, tenants: Collection[str] | None = None
    ) -> set[str]:
        return self._ledger.tenants_replanned(until_ms, since_ms, tenants)

    def extras(self, month: str) -> Extras:
        return self._ledger.extras(month)

    def closing(self, month: str) -> Closing | None:
        return self._closing if self._is_own(month) else self._ledger.closing(month)

    def opened_closings(self) -> list[Closing]:
        return self._ledger.opened_closings()

    def save_closing(self, closing: Closing) -> None:
        self._closing = closing

    def replace_usage(self, month: str, usage: ArrowStream) -> None:
        self._usage = in_order(as_table(usage, USAGE_COLUMNS), ORDER)

    def usage(self, month: str) -> ArrowStream:
        stored: ArrowStream = self._usage
        return stored if self._is_own(month) else self._ledger.usage(month)

    def replace_billed_segments(self, month: str, segments: ArrowStream) -> None:
        self._segments = as_table(segments, SEGMENT_COLUMNS)

    def billed_segments(self, month: str) -> ArrowStream | None:
        own: ArrowStream | None = self._segments
        return own if self._is_own(month) else self._ledger.billed_segments(month)

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        self._lines[work] = as_table(lines, LINE_COLUMNS)

    def lines(self, month: str, works: Sequence[LineWork] = LINE_WORKS) -> ArrowStream:
        if not self._is_own(month):
            return self._ledger.lines(month, works)
        tagged = [
            self._lines[work].append_column("work", _constant(place, self._lines[work]))
            for place, work in enumerate(works)
            if work in self._lines
        ]
        if not tagged:
            nothing: ArrowStream = table_of([], LINE_COLUMNS)
            return nothing
        found: ArrowStream = in_order(pa.concat_tables(tagged), _LINE_ORDER).drop_columns("work")
        return found

    def replace_drafts(self, month: str, parts: Iterable[tuple[ArrowStream, ArrowStream]]) -> int:
        self._drafts = [KeptDrafts.of(*part) for part in parts]
        return 0

    def invoice_heads(self, month: str, columns: Mapping[str, str] = HEAD_COLUMNS) -> ArrowStream:
        if not self._is_own(month):
            return self._ledger.invoice_heads(month, columns)
        tables = [each.heads for each in self._drafts] or [table_of([], RECORD_COLUMNS)]
        found: ArrowStream = in_order(pa.concat_tables(tables), HEAD_ORDER).select(list(columns))
        return found

    def invoice_documents(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        if not self._is_own(month):
            return self._ledger.invoice_documents(month, tenants)
        batches = (batch for each in self._drafts for batch in each.documents(tenants))
        return _streamed(batches, DOCUMENT_COLUMNS)

    def invoice_lines(self, month: str, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        if not self._is_own(month):
            return self._ledger.invoice_lines(month, tenants)
        batches = (batch for each in self._drafts for batch in each.lines(tenants))
        return _streamed(batches, INVOICE_LINE_COLUMNS)

    def record_reconciliation(self, month: str, rows: ArrowStream) -> None:
        self._reconciled = as_table(rows, RECONCILIATION_COLUMNS)

    def reconciliation(self, month: str) -> ArrowStream:
        recorded: ArrowStream = self._reconciled
        return recorded if self._is_own(month) else self._ledger.reconciliation(month)

    def is_reconciled(self, month: str) -> bool:
        own = self._reconciled.num_rows > 0
        return own if self._is_own(month) else self._ledger.is_reconciled(month)

    def hold(self, month: str, reasons: Mapping[str, str]) -> None:
        self._drafts = [each.held(reasons) for each in self._drafts]

    def override(self, month: str, tenant: str, who: str, why: str) -> None:
        raise NotImplementedError("nobody is let go in a run that writes nothing")

    def finalize(self, month: str, seller: str, issued_ms: int, due_ms: int) -> int:
        raise NotImplementedError("nothing is numbered in a run that writes nothing")

    def invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[Invoice]:
        if month is not None and self._is_own(month):
            raise NotImplementedError("what is not written is read by `invoice_heads`")
        return self._ledger.invoices(month, states, tenant)

    def month_totals(self, first: str, last: str) -> list[MonthTotal]:
        raise NotImplementedError("nothing is finalized in a run that writes nothing")

    def invoices_of(self, tenants: Collection[str]) -> list[Invoice]:
        return self._ledger.invoices_of(tenants)

    def _is_own(self, month: str) -> bool:
        return month == self._closing.month


def make_drafts(month: str, unwritten: Unwritten, usage: UsageReader, progress: Progress) -> None:
    """The close's own steps from usage to drafts, into memory."""
    progress("usage from the warehouse", 0, 0)
    aggregate_usage(month, unwritten, usage)
    progress("lines", 0, 0)
    rate_charges(month, unwritten)
    prorate_fees(month, unwritten)
    progress("drafts", 0, 0)
    draft_invoices(month, unwritten)


def _constant(place: int, lines: pa.Table) -> pa.Array:
    return pa.array([place] * len(lines), pa.int32())


def _streamed(batches: Iterable[pa.RecordBatch], columns: Mapping[str, str]) -> ArrowStream:
    found: ArrowStream = pa.RecordBatchReader.from_batches(schema_of(columns), batches)
    return found
