"""A month's records in the ledger, as use cases and checks read them.

Owns no rule and writes nothing; each record is read once, when it is first asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.given import given_by_tenant, versions_of
from pipelines.adjustments.offered import Offered
from pipelines.columns.line_parts import begins
from pipelines.columns.tables import as_table, rows_of
from pipelines.invoices.standing import made_by_close
from pipelines.segments.billed_segments import (
    anchored,
    bounds_table,
    in_force,
    subscribed,
    told_versions,
)
from pipelines.usage.metering import meters_of
from schemas.catalog import Catalog
from schemas.closing import Closing, ClosingState
from schemas.errors import Conflict, NotFound
from schemas.extras import Extras, Given
from schemas.invoice import Invoice, InvoiceState
from schemas.ledger_ports import EVERYBODY, RATED, ClosingLedger, LineWork, TenantRange
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.tables import (
    HEAD_COLUMNS,
    LINE_COLUMNS,
    RECONCILIATION_COLUMNS,
    RECORD_COLUMNS,
    SEGMENT_COLUMNS,
    USAGE_COLUMNS,
    ArrowStream,
)


class Books:
    """What the ledger holds of a month; of `tenants` alone, where some are named."""

    def __init__(
        self, month: str, ledger: ClosingLedger, tenants: Collection[str] | None = None
    ) -> None:
        self.month = month
        self.period = BillingPeriod.month(month)
        self._ledger = ledger
        self._tenants = tenants

    @cached_property
    def closing(self) -> Closing:
        """The month's closing. Raises NotFound."""
        closing = self._ledger.closing(self.month)
        if closing is None or closing.state is ClosingState.AWAITING:
            raise NotFound(
                f"{self.month} was not opened for closing; run `countinghouse close {self.month}`"
            )
        return closing

    @property
    def is_closed(self) -> bool:
        """Is the month closed, so that nothing of it may change?"""
        return self.closing.state is ClosingState.CLOSED

    @cached_property
    def segments(self) -> pa.Table:
        """The segments (`SEGMENT_COLUMNS`) of those whose billing period ends in the month.

        By tenant; who has no plan in it is not among them.

        Raises:
            Conflict: a tenant has two subscriptions.
        """
        found = subscribed(self.segments_around, self.period)
        whose = found.filter(begins(found["subscription"]))
        again = pc.invert(begins(whose["tenant"]))
        if again.true_count:
            tenant = whose["tenant"].filter(again)[0]
            told = f"{tenant} has two subscriptions in {self.month}"
            raise Conflict(f"{told}; end one before it")
        return found

    @cached_property
    def subscribed(self) -> pa.Array:
        """The ids of the month's subscriptions, by tenant."""
        names = self.segments["subscription"]
        return names.filter(begins(names)).combine_chunks()

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        """The same as records, for a few tenants; what is done with all uses `segments`."""
        found = self._ledger.subscriptions(self.period.reach, self._tenants)
        names = set(self.subscribed.to_pylist())
        return [each for each in found if each.id in names]

    @cached_property
    def segments_around(self) -> pa.Table:
        """The same of all that may be billed, also of those who have no plan in the month.

        They are those by which its usage was split: stored usage and lines fit no others. Of some
        tenants alone, as corrections ask, they are those of now.
        """
        if self._tenants is None:
            recorded = self._ledger.billed_segments(self.month)
            if recorded is not None:
                return as_table(recorded, SEGMENT_COLUMNS)
        return as_table(self.current_segments(), SEGMENT_COLUMNS)

    def current_segments(self) -> ArrowStream:
        """The same as the plans are now."""
        return self._ledger.segments(self.period.reach, self._tenants)

    def billed(self, subscription: Subscription) -> BillingPeriod:
        """The billing period of a subscription that the month's close bills."""
        return subscription.billed_in(self.period)

    @cached_property
    def bounds(self) -> pa.Table:
        """The instants at which each tenant's parts begin and end, rising, by tenant."""
        return bounds_table(in_force(self.segments, self.period))

    @cached_property
    def anchored(self) -> Mapping[str, BillingPeriod]:
        """The billing periods of tenants for whom it is not the calendar month."""
        return anchored(self.segments_around, self.period)

    @property
    def span(self) -> BillingPeriod:
        """The month and what its billing periods reach back to."""
        starts = [period.start_ms for period in self.anchored.values()]
        return BillingPeriod(min([self.period.start_ms, *starts]), self.period.end_ms)

    @cached_property
    def catalogs(self) -> dict[int, Catalog]:
        """The versions of the price list that the closing and the subscriptions' parts name."""
        versions = {self.closing.catalog_version} | told_versions(self.segments, self.period)
        return {version: self._ledger.catalog(version)[1] for version in sorted(versions)}

    @cached_property
    def meters(self) -> list[Meter]:
        """What the month's usage is metered by: the closing's price list, and plans in force in it.

        One that came with a later price list is filled backwards, into months too that were closed
        before: they never knew it, so none of their usage is read by it.
        """
        plans = in_force(self.segments, self.period)["catalog_version"]
        versions = {self.closing.catalog_version, *pc.unique(plans).to_pylist()}
        return meters_of({version: self.catalogs[version] for version in versions})

    @cached_property
    def extras(self) -> Extras:
        """What the month's tenants have beside their plans."""
        return self._ledger.extras(self.month)

    @cached_property
    def given(self) -> dict[str, Given]:
        """The same by tenant; who has nothing is not named."""
        return given_by_tenant(self.extras)

    @cached_property
    def offered(self) -> Offered:
        """What the month's adjustments rest on, with the versions that coupons and add-ons keep.

        Taxes are those of the closing's price list.
        """
        kept = versions_of(self.extras) - self.catalogs.keys()
        catalogs = self.catalogs | {each: self._ledger.catalog(each)[1] for each in kept}
        taxes = self.catalogs[self.closing.catalog_version].taxes
        return Offered(catalogs, taxes, self.extras)

    @cached_property
    def usage(self) -> pa.Table:
        """The month's usage (`USAGE_COLUMNS`)."""
        return as_table(self._ledger.usage(self.month), USAGE_COLUMNS)

    def usage_among(self, tenants: pa.Array) -> dict[str, Counter[tuple[str, int]]]:
        """The usage of some in 1e-6 units by tenant, then (meter, segment), of whatever value."""
        usage: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
        for row in rows_of(self.usage.filter(pc.is_in(self.usage["tenant"], value_set=tenants))):
            usage[row["tenant"]][row["meter"], row["segment"]] += row["quantity_micro"]
        return dict(usage)

    def rated(self) -> pa.Table:
        """The month's fee and usage lines (`LINE_COLUMNS`) in their order; they are not kept."""
        return as_table(self._ledger.lines(self.month, RATED), LINE_COLUMNS)

    @cached_property
    def lines(self) -> pa.Table:
        """The month's lines (`LINE_COLUMNS`): fees, usage and what follows, by subscription."""
        return as_table(self._ledger.lines(self.month), LINE_COLUMNS)

    def line_stream(self) -> ArrowStream:
        """The month's lines as they are stored, batch after batch; see `lines`."""
        return self._ledger.lines(self.month)

    @property
    def line_count(self) -> int:
        """How many lines the month has."""
        stream = pa.RecordBatchReader.from_stream(self.line_stream())
        return sum(len(batch) for batch in stream)

    @cached_property
    def corrections(self) -> pa.Table:
        """Those of `lines` that correct earlier months, on invoices and on notes."""
        return as_table(self._ledger.lines(self.month, ("corrections",)), LINE_COLUMNS)

    @cached_property
    def heads(self) -> pa.Table:
        """The month's invoices and notes (`HEAD_COLUMNS`) in any state, by tenant."""
        return as_table(self._ledger.invoice_heads(self.month), HEAD_COLUMNS)

    @cached_property
    def live_heads(self) -> pa.Table:
        """Those of `heads` that are not void."""
        void = InvoiceState.VOID.value
        return self.heads.filter(pc.not_equal(self.heads["state"], void))

    @cached_property
    def records(self) -> pa.Table:
        """The same with all that is known of them (`RECORD_COLUMNS`), void ones too."""
        return as_table(self._ledger.invoice_heads(self.month, RECORD_COLUMNS), RECORD_COLUMNS)

    @cached_property
    def made(self) -> pa.Table:
        """What the close made, as it stands (`RECORD_COLUMNS`); see `made_by_close`."""
        return made_by_close(self.records, self.month)

    @property
    def adjusting(self) -> int:
        """How many of the month's lines follow from fees and usage, or correct earlier months."""
        works: tuple[LineWork, ...] = ("adjustments", "corrections")
        return len(as_table(self._ledger.lines(self.month, works), LINE_COLUMNS))

    @cached_property
    def compared(self) -> pa.Table:
        """The month's comparison (`RECONCILIATION_COLUMNS`) as it was recorded.

        Of a month without invoices and usage it is empty.

        Raises:
            NotFound: the month is still open, and nothing of it was compared.
        """
        is_recorded = self.is_closed or self._ledger.is_reconciled(self.month)
        if not is_recorded and not self._is_empty:
            remedy = f"run `countinghouse close {self.month}`"
            raise NotFound(f"{self.month}: nothing was compared yet; {remedy}")
        return as_table(self._ledger.reconciliation(self.month), RECONCILIATION_COLUMNS)

    @property
    def _is_empty(self) -> bool:
        """Was usage taken, and is there nothing of the month, so that nothing is compared?"""
        was_taken = self._ledger.billed_segments(self.month) is not None
        there = self.segments_around, self.usage, self.live_heads
        return was_taken and not any(table.num_rows for table in there)

    def lines_on_invoices(self, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        """All their lines (`INVOICE_LINE_COLUMNS`), batch after batch."""
        return self._ledger.invoice_lines(self.month, tenants)

    def documents(self, tenants: TenantRange = EVERYBODY) -> ArrowStream:
        """All their documents (`DOCUMENT_COLUMNS`), batch after batch."""
        return self._ledger.invoice_documents(self.month, tenants)

    @property
    def invoices(self) -> list[Invoice]:
        """The month's invoices and notes that are not void, as records."""
        return [
            each
            for each in self._ledger.invoices(self.month)
            if each.state is not InvoiceState.VOID
        ]
