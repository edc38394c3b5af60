"""A month computed again beside its ledger: the close's own steps, which write into memory alone.

Owns no rule; what is computed is in `pipelines.closing`, and nothing reaches the ledger.
"""

from dataclasses import replace

from pipelines.adjustments.as_billed import as_billed
from pipelines.books import Books
from pipelines.closing import aggregate_usage, draft_invoices, prorate_fees, rate_charges
from pipelines.tables import table_of
from pipelines.unwritten import Unwritten
from schemas.closing import ClosingState
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, NOTHING, Extras
from schemas.ports import ClosingLedger, UsageReader


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
    """What tenants had beside their plans as the month's invoices found it.

    Notes come first: where a tenant has both, it is the invoice that tells buyer and credits.
    """
    given = {
        invoice.tenant: as_billed(invoice, books.given.get(invoice.tenant, NOTHING))
        for invoice in sorted(books.made, key=lambda it: it.kind, reverse=True)
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


class _Again(Unwritten):
    """The month as it was opened, with what tenants had beside their plans as it was billed."""

    def __init__(self, books: Books, ledger: ClosingLedger) -> None:
        super().__init__(replace(books.closing, state=ClosingState.OPEN), ledger)
        self._books = books

    def extras(self, month: str) -> Extras:
        if month != self._books.month:
            return super().extras(month)
        return extras_as_billed(self._books)
