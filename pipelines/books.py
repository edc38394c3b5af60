"""A month's records in the ledger, as use cases and checks read them.

Owns no rule and writes nothing; each record is read once, when it is first asked for.
"""

from collections import Counter, defaultdict
from functools import cached_property
from itertools import pairwise

import pyarrow as pa

from pipelines.adjustments.bulk import Offered
from pipelines.adjustments.given import given_by_tenant, versions_of
from pipelines.segments import parts
from pipelines.tables import as_table, lines_by_subscription, rows_of
from schemas.catalog import Catalog
from schemas.closing import Closing, ClosingState
from schemas.errors import Conflict, NotFound
from schemas.extras import Extras, Given
from schemas.invoice import Invoice, InvoiceLine
from schemas.period import BillingPeriod
from schemas.ports import RATED, ClosingLedger
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS, USAGE_COLUMNS


class Books:
    """What the ledger holds of a month."""

    def __init__(self, month: str, ledger: ClosingLedger) -> None:
        self.month = month
        self.period = BillingPeriod.month(month)
        self._ledger = ledger

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
        """The month's subscriptions, by tenant; one that is paused all the time is none.

        Raises:
            Conflict: a tenant has two.
        """
        found = self._ledger.subscriptions(self.period)
        tenants = [subscription.tenant for subscription in found]
        for tenant, following in pairwise(tenants):
            if tenant == following:
                raise Conflict(f"{tenant} has two subscriptions in {self.month}; end one before it")
        return [each for each in found if parts(each, self.period)]

    @cached_property
    def catalogs(self) -> dict[int, Catalog]:
        """The versions of the price list that the closing and the subscriptions' parts name."""
        versions = {self.closing.catalog_version}
        for subscription in self.subscriptions:
            for segment, _ in subscription.parts(self.period):
                versions.add(segment.catalog_version)
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
    def lines_by_subscription(self) -> dict[str, tuple[InvoiceLine, ...]]:
        """The month's lines by subscription, in their order."""
        return {row["subscription"]: own for row, own in lines_by_subscription(self.lines)}

    @cached_property
    def invoices(self) -> list[Invoice]:
        """The month's invoices in every state."""
        return self._ledger.invoices(self.month)
