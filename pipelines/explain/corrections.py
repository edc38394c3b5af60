"""What a correction line rests on: what was billed for its month, and what is owed with what came.

What is owed is computed again from the warehouse as of the cut that made the correction, so an
explanation shows the steps of its price and says whether the difference is the line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.adjustments.case import Case
from pipelines.corrections.correction_lines import owed, subject_of
from pipelines.corrections.note_words import KIND_WIDTH
from pipelines.corrections.owed_as_of import owed_as_of
from pipelines.explain.corrected_month import CorrectedMonth, corrected_months
from pipelines.explain.line_arithmetic import LineArithmetic
from pipelines.explain.price_steps import quantity
from pipelines.explain.price_versions import hashes_of, in_words
from pipelines.invoices.descriptions import metered
from schemas.invoice import CORRECTION_KINDS, USAGE_KINDS, Invoice, InvoiceLine, month_billed
from schemas.ledger_ports import ClosingLedger
from schemas.money import format_minor
from schemas.ports import UsageReader

DIFFERS = "BUT THE LINE SAYS"
_INDENT = " " * (KIND_WIDTH + 4)


def explain_corrections(
    invoice: Invoice, ledger: ClosingLedger, usage: UsageReader | None
) -> dict[int, list[str]]:
    """Rows below each correction line, by its number from 1; without a warehouse only sums."""
    months = corrected_months(invoice, ledger)
    wanted = {month: _wanted(of, usage) for month, of in months.items()}
    rows: dict[int, list[str]] = {}
    for number, line in enumerate(invoice.lines, start=1):
        if line.kind in CORRECTION_KINDS:
            month = month_billed(line)
            own = _Correction(invoice.currency, line, months[month], wanted[month])
            rows[number] = [f"{_INDENT}{row}" for row in own.rows()]
    return rows


def _wanted(of: CorrectedMonth, usage: UsageReader | None) -> Sequence[InvoiceLine] | None:
    """What is owed of a month as the correcting close read it; None where nobody can say."""
    if of.standing is None:
        return ()
    if usage is None:
        return None
    name = of.standing.subscription
    return owed_as_of(of.books, {name: of.standing}, of.closing.vector, usage).get(name, ())


class _Correction:
    """One correction line beside what was billed before it and what is `wanted` of its month."""

    def __init__(
        self,
        currency: str,
        line: InvoiceLine,
        of: CorrectedMonth,
        wanted: Sequence[InvoiceLine] | None,
    ) -> None:
        self._currency = currency
        self._line = line
        self._of = of
        self._all_wanted = wanted

    def rows(self) -> Iterator[str]:
        yield from self._before()
        if self._of.standing is None:
            yield "its invoice is void: nothing is owed of it"
        elif self._all_wanted is not None:
            hashes = hashes_of(self._line, self._of.subscription, self._of.books)
            yield f"owed by {in_words(hashes)}:"
            yield from self._arithmetic()
        if self._all_wanted is not None:
            yield f"owed together: {self._sum(self._wanted)}"
        yield self._difference()

    def _before(self) -> Iterator[str]:
        standing = self._of.standing
        if standing is not None:
            name = standing.number or standing.id
            yield f"billed on {name}: {self._sum(self._same(owed(standing.lines)))}"
        for invoice, lines in self._of.made:
            if same := self._same(lines):
                yield f"corrected on {invoice.number or invoice.id}: {self._sum(same)}"

    def _arithmetic(self) -> Iterator[str]:
        """The lines that are owed of it, each with its steps."""
        subscription, standing, books = self._of.subscription, self._of.standing, self._of.books
        if subscription is None or standing is None:
            return
        lines = tuple(self._all_wanted or ())
        case = Case(subscription, books.billed(subscription), books.offered.catalogs)
        arithmetic = LineArithmetic(replace(standing, lines=lines), case)
        for place, line in enumerate(lines):
            if subject_of(line) == subject_of(self._line):
                yield arithmetic.line(line)
                yield from arithmetic.steps(place, line)

    def _difference(self) -> str:
        if self._all_wanted is None:
            return f"difference, as the close found it: {self._sum([self._line])}"
        before = self._same(owed(self._of.standing.lines)) if self._of.standing else []
        before += [line for _, lines in self._of.made for line in self._same(lines)]
        found = tuple(map(_less, _figures(self._wanted), _figures(before)))
        told = f"difference: {self._told(*found)}"
        if found == _figures([self._line]):
            return told
        if reason := self._of.changed_since:
            return f"{told}; the line is of before {reason}"
        return f"{told}, {DIFFERS} {self._sum([self._line])}"

    @property
    def _wanted(self) -> list[InvoiceLine]:
        return self._same(self._all_wanted or ())

    def _same(self, lines: Sequence[InvoiceLine]) -> list[InvoiceLine]:
        """Those that are corrected together with the line."""
        return [line for line in lines if subject_of(line) == subject_of(self._line)]

    def _sum(self, lines: Sequence[InvoiceLine]) -> str:
        return self._told(*_figures(lines))

    def _told(self, micro: int, amount_minor: int) -> str:
        amount = format_minor(amount_minor, self._currency).replace("-", "−")
        if self._line.meter is None:
            return amount
        return f"{quantity(micro)} {metered(self._line)}, {amount}"


def _figures(lines: Sequence[InvoiceLine]) -> tuple[int, int]:
    """Quantity and amount together."""
    used = (line for line in lines if line.kind in (*USAGE_KINDS, "correction"))
    return sum(line.quantity_micro or 0 for line in used), sum(it.amount_minor for it in lines)


def _less(more: int, less: int) -> int:
    return more - less
