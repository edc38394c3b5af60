"""History under other prices: closed months priced by a draft, beside what they were billed.

Subscriptions are moved to the draft for the months concerned; usage, credits, coupons and add-ons
are as the closed month had them, and so is what corrects earlier months. Of an invoice that was
made again the last counts, a void one as it was; credit notes follow from no price. Nothing is
written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from pipelines.adjustments.offered import Offered
from pipelines.invoices.books import Books
from pipelines.invoices.extras_as_billed import extras_as_billed
from pipelines.invoices.lines_on_invoices import corrected_minor
from pipelines.invoices.month_lines import month_lines
from pipelines.reports.movements import Move, added, moves, totals_of
from pipelines.reports.repricing import ensure_metered, repriced
from schemas.catalog import Catalog
from schemas.errors import InvalidInput, NotFound
from schemas.ledger_ports import ClosingLedger


@dataclass(frozen=True, slots=True)
class Simulated:
    """A closed month's totals as billed, and as the draft would have made them, by tenant."""

    month: str
    billed: Mapping[tuple[str, str], int]
    drafted: Mapping[tuple[str, str], int]

    @property
    def moves(self) -> list[Move]:
        """Every tenant's change in this month."""
        return moves(self.billed, self.drafted)


def simulate(
    month: str, draft: Catalog, ledger: ClosingLedger, renamed: Mapping[str, str]
) -> Simulated:
    """A closed month by the draft's prices; plans keep their names or take those of `renamed`.

    Raises:
        NotFound: the month is not closed.
        InvalidInput: the draft cannot price it; see `pipelines.reports.repricing`.
    """
    books = Books(month, ledger)
    if not books.is_closed:
        raise NotFound(f"{month} is not closed; history is priced once it is")
    ensure_metered(draft, books.catalogs[books.closing.catalog_version])
    version = ledger.catalog()[0] + 1
    segments = repriced(books.segments, books.period, draft, version, renamed)
    extras = extras_as_billed(books)
    offered = Offered({**books.offered.catalogs, version: draft}, draft.taxes, extras)
    corrected = corrected_minor(books)
    lines = month_lines(books.usage, segments, books.period, offered, corrected)
    drafted = added([totals_of(lines), totals_of(books.corrections)])
    return Simulated(month, _billed(books), drafted)


def _billed(books: Books) -> dict[tuple[str, str], int]:
    made = books.made.select(["tenant", "currency", "total_minor"])
    return totals_of(made.rename_columns(["tenant", "currency", "amount_minor"]))


def over_months(simulated: Iterable[Simulated]) -> list[Move]:
    """Every tenant's change over all months together."""
    months = list(simulated)
    return moves(added(it.billed for it in months), added(it.drafted for it in months))


def unused_names(renamed: Mapping[str, str], months: Iterable[str], ledger: ClosingLedger) -> None:
    """Every renamed plan is one that somebody had.

    Raises:
        InvalidInput: nobody had it, so it is misspelt.
    """
    held = {
        plan
        for month in months
        for plan in pc.unique(Books(month, ledger).segments["plan"]).to_pylist()
    }
    for old in sorted(renamed.keys() - held):
        raise InvalidInput(f"--map {old}=…: nobody had {old}; there were {', '.join(sorted(held))}")
