"""By which versions of the price list lines are priced, each with its SHA-256."""

from collections.abc import Iterable, Mapping

from pipelines.invoices.books import Books
from pipelines.invoices.books_as_billed import books_behind
from pipelines.invoices.invoicing import basis
from pipelines.segments.segments import parts
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceLine, month_billed
from schemas.ledger_ports import ClosingLedger
from schemas.subscription import Subscription


def price_versions(invoice: Invoice, number: int | None, ledger: ClosingLedger) -> str | None:
    """In words, of a line counted from 1 or of all; None where somebody's word is the price."""
    found, behind = dict[int, str](), dict[str, Books]()
    for place, line in enumerate(invoice.lines, start=1):
        if number in (None, place) and line.kind != "credited":
            month = month_billed(line) if line.kind in CORRECTION_KINDS else invoice.month
            if month not in behind:
                behind[month] = _books(month, invoice, ledger)
            found |= hashes_of(line, _subscription(invoice, behind[month]), behind[month])
    return in_words(found) if found else None


def _books(month: str, invoice: Invoice, ledger: ClosingLedger) -> Books:
    """A correction is priced by the plans as they are, an invoice by those it was billed by."""
    if month == invoice.month:
        return books_behind(month, invoice.tenant, ledger)
    return Books(month, ledger, [invoice.tenant])


def in_words(hashes: Mapping[int, str]) -> str:
    """Like "price list version 1, SHA-256 4f…"."""
    told = (f"price list version {it}, SHA-256 {hashes[it]}" for it in sorted(hashes))
    return " and ".join(told)


def hashes_of(
    line: InvoiceLine, subscription: Subscription | None, books: Books
) -> Mapping[int, str]:
    """The SHA-256 of each version that prices a line of the books' month."""
    versions = _versions(line, subscription, books)
    catalogs = {version: books.offered.catalogs[version] for version in versions}
    return basis(books.closing, catalogs).catalog_hashes


def _subscription(invoice: Invoice, books: Books) -> Subscription | None:
    return next((it for it in books.subscriptions if it.id == invoice.subscription), None)


def _versions(line: InvoiceLine, subscription: Subscription | None, books: Books) -> Iterable[int]:
    """Those that the parts of the line's plan and time go by, or else the closing's."""
    if subscription is None:
        return {books.closing.catalog_version}
    found = [
        (part.period, part.catalog_version)
        for part in parts(subscription, subscription.billed_in(books.period))
        if part.plan == line.plan
    ]
    exact = {version for period, version in found if period == line.period}
    return exact or {version for _, version in found} or {books.closing.catalog_version}
