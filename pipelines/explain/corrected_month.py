"""The closed month that a correction line is about, as the close that made it found it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.corrections.late_usage import opened_before
from pipelines.invoices.books import Books
from schemas.closing import Closing
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceLine, is_remade, month_billed
from schemas.ledger_ports import ClosingLedger
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.vector import Vector

Made = Sequence[tuple[Invoice, Sequence[InvoiceLine]]]


@dataclass(frozen=True, slots=True)
class CorrectedMonth:
    """A month's books, what stands of it, and the corrections that were made before.

    `closing` is that of the correcting month, `standing` the month's invoice, None where it is
    void; `since` is the vector of the correction before, or else of the month. `is_replanned`: its
    plans were changed after it was opened. `changed_since` names what has changed after the
    correction was made, so that it cannot be computed again.
    """

    books: Books
    closing: Closing
    standing: Invoice | None
    subscription: Subscription | None
    made: Made
    since: Vector
    is_replanned: bool
    changed_since: str | None

    @property
    def is_made_again(self) -> bool:
        """Does its invoice stand in the place of a void one?"""
        return self.standing is not None and is_remade(self.standing.id)


def corrected_months(invoice: Invoice, ledger: ClosingLedger) -> dict[str, CorrectedMonth]:
    """What the correction lines of an invoice or note are about, by month."""
    months = {month_billed(line) for line in invoice.lines if line.kind in CORRECTION_KINDS}
    if not months:
        return {}
    every = ledger.invoices_of([invoice.tenant])
    own = [it for it in every if it.subscription == invoice.subscription]
    closing = Books(invoice.month, ledger).closing
    return {month: _corrected(month, invoice, own, closing, ledger) for month in sorted(months)}


def _corrected(
    month: str, invoice: Invoice, own: Sequence[Invoice], closing: Closing, ledger: ClosingLedger
) -> CorrectedMonth:
    books = Books(month, ledger, [invoice.tenant])
    of_month = (it for it in own if it.month == books.month and it.kind == "invoice")
    standing = next(of_month, None)
    made, since = _made_before(own, books, closing, ledger)
    whose = (it for it in books.subscriptions if it.id == invoice.subscription)
    return CorrectedMonth(
        books,
        closing,
        standing,
        next(whose, None),
        made,
        since,
        _is_replanned(invoice.tenant, books, books.closing.opened_ms, ledger),
        _changed_since(invoice, standing, books, closing, ledger),
    )


def _made_before(
    own: Sequence[Invoice], books: Books, closing: Closing, ledger: ClosingLedger
) -> tuple[Made, Vector]:
    """The corrections of the month that counted as made, and how far they had read."""
    opened = {each.month: each for each in opened_before(closing, ledger)}
    made = [(it, found) for it in own if it.month in opened and (found := _of(it, books.month))]
    read = [opened[invoice.month] for invoice, _ in made]
    last = max(read, key=lambda each: (each.opened_ms, each.month), default=books.closing)
    return made, last.vector


def _of(invoice: Invoice, month: str) -> list[InvoiceLine]:
    """The lines that correct a month."""
    made = (line for line in invoice.lines if line.kind in CORRECTION_KINDS)
    return [line for line in made if month_billed(line) == month]


def _changed_since(
    invoice: Invoice,
    standing: Invoice | None,
    books: Books,
    closing: Closing,
    ledger: ClosingLedger,
) -> str | None:
    """What happened to the month after the correction was made."""
    if standing is None:
        return "its invoice was made void"
    if is_remade(standing.id) and (standing.issued_ms or 0) > closing.opened_ms:
        return "its invoice was made again"
    if _is_replanned(invoice.tenant, books, closing.opened_ms, ledger):
        return "its plans were changed"
    return None


def _is_replanned(tenant: str, books: Books, since_ms: int, ledger: ClosingLedger) -> bool:
    ends_ms = BillingPeriod.month(books.month).end_ms
    return bool(ledger.tenants_replanned(ends_ms, since_ms, [tenant]))
