"""What came late, of whom, and what it changes: for people, before it is billed and after."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pipelines.corrections.late_usage import corrections, reach
from pipelines.invoices.books import Books
from pipelines.usage.usage_reading import by_period
from schemas.closing import Closing, ClosingState
from schemas.invoice import CORRECTION_KINDS, Invoice, month_billed
from schemas.late_usage import LateRow
from schemas.ledger_ports import ClosingLedger
from schemas.ports import UsageReader
from schemas.vector import Vector


@dataclass(frozen=True, slots=True)
class LateTenant:
    """A tenant's late usage of a closed month, and its money in minor units.

    `corrected_minor` is on invoices and notes already, in `corrected_in`; `open_minor` is what the
    next close corrects, and `carried_on` why it corrects nothing yet.
    """

    month: str
    tenant: str
    currency: str
    rows: tuple[LateRow, ...]
    corrected_minor: int
    corrected_in: tuple[str, ...]
    open_minor: int
    carried_on: str | None = None


def late_usage(
    ledger: ClosingLedger, usage: UsageReader, as_of: Vector, months: Collection[str] = ()
) -> list[LateTenant]:
    """Late usage that has been landed, of closed months (all, or these), by month and tenant."""
    opened = ledger.opened_closings()
    closed = [each for each in opened if each.state is ClosingState.CLOSED]
    counted = {each.month for each in opened}
    found: list[LateTenant] = []
    sold = ledger.catalogs().values()
    for closing in sorted(closed, key=lambda each: each.month):
        if not months or closing.month in months:
            late = usage.late(reach(closing, sold), closing.vector, as_of)
            found += _of_month(closing, late, counted, ledger, usage, as_of) if late else ()
    return found


def _of_month(
    closing: Closing,
    late: set[str],
    counted: Collection[str],
    ledger: ClosingLedger,
    usage: UsageReader,
    as_of: Vector,
) -> list[LateTenant]:
    books = Books(closing.month, ledger, late)
    rows = _rows(books, late, usage, as_of)
    due = corrections([closing], counted, as_of, ledger, usage)
    opened = {each.tenant: (each.amount_minor, each.carried_on) for each in due}
    currencies = {each.tenant: each.currency for each in books.subscriptions}
    made = _made(closing.month, ledger.invoices_of(late))
    return [
        LateTenant(
            closing.month,
            tenant,
            currencies.get(tenant, ""),
            tuple(own),
            sum(amount for _, amount in made.get(tenant, ())),
            tuple(sorted({name for name, _ in made.get(tenant, ())})),
            *opened.get(tenant, (0, None)),
        )
        for tenant, own in sorted(rows.items())
    ]


def _rows(
    books: Books, late: Collection[str], usage: UsageReader, as_of: Vector
) -> dict[str, list[LateRow]]:
    """Each tenant's, of the billing period of its own."""
    periods = {tenant: books.anchored.get(tenant, books.period) for tenant in late}
    found: dict[str, list[LateRow]] = {}
    for period, tenants in by_period(periods):
        for row in usage.late_rows(period, books.closing.vector, as_of, tenants):
            found.setdefault(row.tenant, []).append(row)
    return found


def _made(month: str, invoices: Iterable[Invoice]) -> dict[str, list[tuple[str, int]]]:
    """Corrections of a month by tenant: where each stands, and its amount."""
    found: dict[str, list[tuple[str, int]]] = {}
    for invoice in invoices:
        for line in invoice.lines:
            if line.kind in CORRECTION_KINDS and month_billed(line) == month:
                where = invoice.number or invoice.id
                found.setdefault(invoice.tenant, []).append((where, line.amount_minor))
    return found
