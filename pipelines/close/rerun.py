"""A month computed again beside its ledger: the close's own steps, which write into memory alone.

Owns no rule; what is computed is in `pipelines.close.closing`, and nothing reaches the ledger.
"""

from collections.abc import Collection
from dataclasses import replace
from functools import cached_property

from pipelines.close.unwritten import Unwritten, make_drafts
from pipelines.invoices.books import Books
from pipelines.invoices.extras_as_billed import extras_as_billed
from schemas.closing import Closing, ClosingState
from schemas.extras import Extras
from schemas.ledger_ports import ClosingLedger, LineWork
from schemas.period import BillingPeriod
from schemas.ports import UsageReader
from schemas.progress import Progress, unseen
from schemas.tables import ArrowStream


def rerun(
    month: str, ledger: ClosingLedger, usage: UsageReader, progress: Progress = unseen
) -> Books:
    """The month's books as the close makes them now, by the stored vector and price lists.

    Raises:
        NotFound: the month was not opened.
    """
    again = _Again(Books(month, ledger), ledger)
    make_drafts(month, again, usage, progress)
    return Books(month, again)


class _Again(Unwritten):
    """The month as it was opened, with what tenants had beside their plans as it was billed.

    What corrects earlier months follows from what was known of them when it was made, such as which
    invoices were void: it is taken as it was recorded.
    """

    def __init__(self, books: Books, ledger: ClosingLedger) -> None:
        super().__init__(replace(books.closing, state=ClosingState.OPEN), ledger)
        self._books = books

    def segments(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> ArrowStream:
        """The plans by which the month was closed; what was changed since is the next close's."""
        kept = self._ledger.billed_segments(self._books.month) if self._books.is_closed else None
        return super().segments(period, tenants) if kept is None else kept

    def opened_closings(self) -> list[Closing]:
        return []

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        recorded = self._ledger.lines(month, (work,)) if work == "corrections" else lines
        super().replace_lines(month, work, recorded)

    def extras(self, month: str) -> Extras:
        return self._as_billed if month == self._books.month else super().extras(month)

    @cached_property
    def _as_billed(self) -> Extras:
        return extras_as_billed(self._books)
