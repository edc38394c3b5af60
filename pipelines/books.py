"""A month's records in the ledger, as use cases and checks read them.

Owns no rule and writes nothing; each record is read once, when it is first asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from functools import cached_property
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.bulk import Offered
from pipelines.adjustments.given import given_by_tenant, versions_of
from pipelines.fee_terms import told_versions
from pipelines.segments import parts
from pipelines.tables import as_table, lines_by_subscription, rows_of
from schemas.catalog import Catalog
from schemas.closing import Closing, ClosingState
from schemas.errors import Conflict, NotFound
from schemas.extras import Extras, Given
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceLine, InvoiceState
from schemas.period import BillingPeriod
from schemas.ports import RATED, ClosingLedger
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS, USAGE_COLUMNS


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
    def subscriptions(self) -> list[Subscription]:
        """Those whose billing period ends in the month, by tenant; without any plan in it, none.

        Raises:
            Conflict: a tenant has two.
        """
        found = [each for each in self._around if parts(each, self.billed(each))]
        for one, following in pairwise(found):
            if one.tenant == following.tenant:
                told = f"{one.tenant} has two subscriptions in {self.month}"
                raise Conflict(f"{told}; end one before it")
        return found

    @cached_property
    def _around(self) -> list[Subscription]:
        """All that may be billed: a period that ends in the month may begin in the one before."""
        before = BillingPeriod.month_of(self.period.start_ms - 1)
        reach = BillingPeriod(before.start_ms, self.period.end_ms)
        return self._ledger.subscriptions(reach, self._tenants)

    def billed(self, subscription: Subscription) -> BillingPeriod:
        """The billing period of a subscription that the month's close bills."""
        return subscription.billed_in(self.period)

    @cached_property
    def anchored(self) -> dict[str, BillingPeriod]:
        """The billing periods of tenants for whom it is not the calendar month."""
        others = (each for each in self._around if each.anchor_day != 1)
        return {each.tenant: self.billed(each) for each in others}

    @property
    def span(self) -> BillingPeriod:
        """The month and what its billing periods reach back to."""
        starts = [period.start_ms for period in self.anchored.values()]
        return BillingPeriod(min([self.period.start_ms, *starts]), self.period.end_ms)

    @cached_property
    def catalogs(self) -> dict[int, Catalog]:
        """The versions of the price list that the closing and the subscriptions' parts name."""
        versions = {self.closing.catalog_version}
        for subscription in self.subscriptions:
            versions |= told_versions(subscription, self.billed(subscription))
        return {version: self._ledger.catalog(version)[1] for version in sorted(versions)}

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

    @cached_property
    def usage_by_tenant(self) -> dict[str, Counter[tuple[str, int]]]:
        """The month's usage in 1e-6 units by tenant, then (meter, segment), of whatever value."""
        usage: defaultdict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
        for row in rows_of(self.usage):
            usage[row["tenant"]][row["meter"], row["segment"]] += row["quantity_micro"]
        return dict(usage)

    def rated(self) -> pa.Table:
        """The month's fee and usage lines (`LINE_COLUMNS`) in their order; they are not kept."""
        return as_table(self._ledger.lines(self.month, RATED), LINE_COLUMNS)

    @cached_property
    def lines(self) -> pa.Table:
        """The month's lines (`LINE_COLUMNS`): fees, usage and what follows, by subscription."""
        return as_table(self._ledger.lines(self.month), LINE_COLUMNS)

    @cached_property
    def invoice_lines(self) -> pa.Table:
        """The lines of `lines` that stand on an invoice."""
        return self.lines.filter(pc.invert(self._is_noted)) if self._is_corrected else self.lines

    @cached_property
    def note_lines(self) -> pa.Table:
        """The corrections that are made by notes: by policy, or where no invoice follows."""
        if not self._is_corrected:
            return self.lines.slice(0, 0)
        return self.lines.filter(self._is_noted)

    @cached_property
    def corrected_minor(self) -> dict[str, int]:
        """What corrections on invoices come to, by subscription."""
        table = as_table(self._ledger.lines(self.month, ("corrections",)), LINE_COLUMNS)
        sums: Counter[str] = Counter()
        for row in rows_of(table.filter(pc.invert(self._noted(table)))):
            sums[row["subscription"]] += row["amount_minor"]
        return dict(sums)

    @cached_property
    def _is_corrected(self) -> bool:
        kinds = pa.array(CORRECTION_KINDS, pa.string())
        return bool(pc.any(pc.is_in(self.lines["kind"], value_set=kinds)).as_py())

    @cached_property
    def _is_noted(self) -> pa.ChunkedArray:
        return self._noted(self.lines)

    def _noted(self, lines: pa.Table) -> pa.ChunkedArray:
        """For each line, is it a correction that a note makes?"""
        kinds = pa.array(CORRECTION_KINDS, pa.string())
        corrects = pc.is_in(lines["kind"], value_set=kinds)
        if self.catalogs[self.closing.catalog_version].late_usage.corrected_by == "note":
            return corrects
        invoiced = pa.array([each.id for each in self.subscriptions], pa.string())
        return pc.and_(corrects, pc.invert(pc.is_in(lines["subscription"], value_set=invoiced)))

    @cached_property
    def lines_by_subscription(self) -> dict[str, tuple[InvoiceLine, ...]]:
        """The lines of the month's invoices by subscription, in their order."""
        return {row["subscription"]: own for row, own in lines_by_subscription(self.invoice_lines)}

    @cached_property
    def invoices(self) -> list[Invoice]:
        """The month's invoices, and notes of its close, that are not void."""
        return [each for each in self.every_invoice if each.state is not InvoiceState.VOID]

    @cached_property
    def every_invoice(self) -> list[Invoice]:
        """The same with those that are void."""
        return self._ledger.invoices(self.month)
