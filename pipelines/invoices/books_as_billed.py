"""A closed month's books of one tenant, by the plans that its usage was cut with.

Those of all tenants are that anyway; what a tenant's plans are now, corrections ask for.
"""

from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from pipelines.segments.segment_tables import subscriptions_of
from schemas.ledger_ports import ClosingLedger
from schemas.subscription import Subscription
from schemas.tables import SEGMENT_COLUMNS


def books_behind(month: str, tenant: str, ledger: ClosingLedger) -> Books:
    """The books that a tenant's invoice of a month rests on, also if its plans were changed since.

    Only then is the whole month's record of plans read.
    """
    books = Books(month, ledger, [tenant])
    since_ms, ends_ms = books.closing.opened_ms, books.period.end_ms
    is_replanned = ledger.tenants_replanned(ends_ms, since_ms, [tenant])
    return BooksAsBilled(month, ledger, tenant) if is_replanned else books


class BooksAsBilled(Books):
    """The books of one tenant, whose stored usage fits no other plans."""

    def __init__(self, month: str, ledger: ClosingLedger, tenant: str) -> None:
        super().__init__(month, ledger, [tenant])
        self._tenant = tenant

    @cached_property
    def segments_around(self) -> pa.Table:
        """Those that were kept with the month's usage."""
        kept = self._ledger.billed_segments(self.month)
        found = as_table(self.current_segments() if kept is None else kept, SEGMENT_COLUMNS)
        return found.filter(pc.equal(found["tenant"], self._tenant))

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        """The same as records; a card is not known of them."""
        return list(subscriptions_of(self.segments))
