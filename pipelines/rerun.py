"""A month computed again beside its ledger: the close's own steps, which write into memory alone.

Owns no rule; what is computed is in `pipelines.closing`, and nothing reaches the ledger.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.as_billed import as_billed
from pipelines.books import Books
from pipelines.invoice_parts import InvoicePart, invoice_parts, records_of
from pipelines.tables import table_of
from pipelines.unwritten import Unwritten, make_drafts
from schemas.closing import ClosingState
from schemas.extras import BUYER_COLUMNS, CREDIT_COLUMNS, NOTHING, Extras, Given
from schemas.ports import ClosingLedger, UsageReader
from schemas.progress import Progress, unseen

_OF_GRANT = tuple(name for name in CREDIT_COLUMNS if name not in ("tenant", "left_minor"))


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


def extras_as_billed(books: Books) -> Extras:
    """What tenants had beside their plans as the month's invoices found it.

    Where a tenant has notes too, it is the invoice that tells buyer and credits.
    """
    buyers, credits = [table_of([], BUYER_COLUMNS)], [table_of([], CREDIT_COLUMNS)]
    for part in invoice_parts(books.made, books):
        found = _told(part)
        buyers.append(table_of(_buyers(found), BUYER_COLUMNS))
        credits.append(table_of(_credits(found), CREDIT_COLUMNS))
    told = {"buyers": pa.concat_tables(buyers), "credits": pa.concat_tables(credits)}
    return replace(books.extras, **told)


def _told(part: InvoicePart) -> dict[str, Given]:
    """By tenant what invoices say of it, of those that say anything."""
    documents, lines = part.documents, part.lines
    names_buyer = pc.match_substring(documents["document"], b'"buyer":')
    applied = pc.equal(lines["kind"], "credit_applied")
    ids = pa.chunked_array(
        [
            *documents["invoice"].filter(names_buyer).chunks,
            *lines["invoice"].filter(applied).chunks,
        ],
        pa.string(),
    )
    heads = part.heads
    tenants = heads["tenant"].filter(pc.is_in(heads["id"], value_set=ids.combine_chunks()))
    invoices = records_of(part.of(tenants.combine_chunks()))
    notes_first = sorted(invoices, key=lambda it: (it.tenant, it.kind == "invoice"))
    return {invoice.tenant: as_billed(invoice, NOTHING) for invoice in notes_first}


def _buyers(found: Mapping[str, Given]) -> Iterator[tuple[str | None, ...]]:
    for tenant, given in found.items():
        if given.buyer.is_known:
            yield tenant, given.buyer.country, given.buyer.region, given.buyer.tax_id


def _credits(found: Mapping[str, Given]) -> Iterator[tuple[Any, ...]]:
    for tenant, given in found.items():
        for each in given.credits:
            yield tenant, *(getattr(each.grant, name) for name in _OF_GRANT), each.left_minor


class _Again(Unwritten):
    """The month as it was opened, with what tenants had beside their plans as it was billed."""

    def __init__(self, books: Books, ledger: ClosingLedger) -> None:
        super().__init__(replace(books.closing, state=ClosingState.OPEN), ledger)
        self._books = books

    def extras(self, month: str) -> Extras:
        return self._as_billed if month == self._books.month else super().extras(month)

    @cached_property
    def _as_billed(self) -> Extras:
        return extras_as_billed(self._books)
