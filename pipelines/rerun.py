"""A month computed again beside its ledger: the close's own steps, which write into memory alone.

Owns no rule; what is computed is in `pipelines.closing`, and nothing reaches the ledger.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from pipelines.adjustments.as_billed import as_billed
from pipelines.books import Books
from pipelines.closing import aggregate_usage, draft_invoices, prorate_fees, rate_charges
from pipelines.tables import as_table, table_of
from schemas.catalog import Catalog
from schemas.closing import Closing, ClosingState, Reconciliation
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, NOTHING, Extras
from schemas.invoice import Invoice, InvoiceState
from schemas.period import BillingPeriod
from schemas.ports import LINE_WORKS, ClosingLedger, LineWork, UsageReader
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS, USAGE_COLUMNS, ArrowStream

_IN_ORDER = [(name, "ascending") for name in ("tenant", "subscription", "work", "ordinal")]
_USAGE_ORDER = [(name, "ascending") for name in ("tenant", "meter", "segment", "value")]


def rerun(month: str, ledger: ClosingLedger, usage: UsageReader) -> Books:
    """The month's books as the close makes them now, by the stored vector and price lists.

    Raises:
        NotFound: the month was not opened.
    """
    again = _Again(Books(month, ledger), ledger)
    aggregate_usage(month, again, usage)
    rate_charges(month, again)
    prorate_fees(month, again)
    draft_invoices(month, again)
    return Books(month, again)


def extras_as_billed(books: Books) -> Extras:
    """What tenants had beside their plans as the month's invoices found it."""
    given = {
        invoice.tenant: as_billed(invoice, books.given.get(invoice.tenant, NOTHING))
        for invoice in books.invoices
    }
    buyers = (
        (tenant, it.buyer.country, it.buyer.region, it.buyer.tax_id)
        for tenant, it in sorted(given.items())
        if any((it.buyer.country, it.buyer.region, it.buyer.tax_id))
    )
    credits = (
        (
            *(tenant, each.grant.key, each.grant.currency, each.grant.amount_minor),
            *(each.grant.granted_ms, each.grant.expires_ms, each.grant.priority),
            each.left_minor,
        )
        for tenant, it in sorted(given.items())
        for each in it.credits
    )
    return replace(
        books.extras,
        buyers=table_of(buyers, BUYER_COLUMNS),
        credits=table_of(credits, CREDIT_COLUMNS),
    )


class _Again:
    """A `ClosingLedger` that holds what a close writes, and reads the rest from another."""

    def __init__(self, books: Books, ledger: ClosingLedger) -> None:
        self._books = books
        self._ledger = ledger
        self._usage = table_of([], USAGE_COLUMNS)
        self._lines: dict[LineWork, pa.Table] = {}
        self._drafts: list[Invoice] = []

    def catalog(self, version: int | None = None) -> tuple[int, Catalog]:
        return self._ledger.catalog(version)

    def subscriptions(
        self, period: BillingPeriod, tenants: Collection[str] | None = None
    ) -> list[Subscription]:
        return self._ledger.subscriptions(period, tenants)

    def closing(self, month: str) -> Closing | None:
        if month != self._books.month:
            return self._ledger.closing(month)
        return replace(self._books.closing, state=ClosingState.OPEN)

    def opened_closings(self) -> list[Closing]:
        return self._ledger.opened_closings()

    def save_closing(self, closing: Closing) -> None:
        raise NotImplementedError("what is computed again keeps its closing")

    def replace_usage(self, month: str, usage: ArrowStream) -> None:
        self._usage = as_table(usage, USAGE_COLUMNS).sort_by(_USAGE_ORDER)

    def usage(self, month: str) -> ArrowStream:
        stored: ArrowStream = self._usage
        return stored

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        self._lines[work] = as_table(lines, LINE_COLUMNS)

    def lines(self, month: str, works: Sequence[LineWork] = LINE_WORKS) -> ArrowStream:
        made = [
            (number, self._lines[work]) for number, work in enumerate(works) if work in self._lines
        ]
        tagged = [
            table.append_column("work", pa.array([number] * len(table), "int32"))
            for number, table in made
        ]
        if not tagged:
            nothing: ArrowStream = table_of([], LINE_COLUMNS)
            return nothing
        found: ArrowStream = pa.concat_tables(tagged).sort_by(_IN_ORDER).drop_columns("work")
        return found

    def extras(self, month: str) -> Extras:
        if month != self._books.month:
            return self._ledger.extras(month)
        return extras_as_billed(self._books)

    def replace_drafts(self, month: str, invoices: Iterable[Invoice]) -> int:
        self._drafts = list(invoices)
        return 0

    def record_reconciliation(self, month: str, rows: Iterable[Reconciliation]) -> None:
        """Nothing is compared again."""

    def reconciliation(self, month: str) -> list[Reconciliation]:
        return []

    def hold(self, month: str, reasons: Mapping[str, str]) -> None:
        raise NotImplementedError("what is computed again holds nobody")

    def override(self, month: str, tenant: str, who: str, why: str) -> None:
        raise NotImplementedError("what is computed again is not finalized")

    def finalize(self, month: str, seller: str, issued_ms: int, due_ms: int) -> int:
        raise NotImplementedError("what is computed again is not finalized")

    def invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[Invoice]:
        return [each for each in self._drafts if tenant in (None, each.tenant)]

    def invoices_of(self, tenants: Collection[str]) -> list[Invoice]:
        return self._ledger.invoices_of(tenants)
