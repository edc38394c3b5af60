"""The lines of an invoice or note that come from events, of its own period and of earlier ones."""

from collections.abc import Iterator

from pipelines.explain.correction_events import correction_events
from pipelines.explain.line_events import LineEvents, usage_lines
from pipelines.invoices.books_as_billed import books_behind
from schemas.errors import NotFound
from schemas.invoice import Invoice, InvoiceLine, month_billed
from schemas.ledger_ports import ClosingLedger


def lines_with_events(invoice: Invoice, ledger: ClosingLedger) -> Iterator[LineEvents]:
    """Every line of usage and every correction of a meter, with its events."""
    yield from usage_lines(invoice, books_behind(invoice.month, invoice.tenant, ledger))
    yield from correction_events(invoice, ledger)


def events_of(invoice: Invoice, number: int, ledger: ClosingLedger) -> LineEvents:
    """The events of one line, counted from 1.

    Raises:
        NotFound: there is no such line, or none is behind it; the text says what it follows from.
    """
    if not 1 <= number <= len(invoice.lines):
        name = invoice.number or invoice.id
        raise NotFound(f"{name} has the lines 1 to {len(invoice.lines)}, not {number}")
    for each in lines_with_events(invoice, ledger):
        if each.number == number:
            return each
    raise NotFound(f"line {number} is a {_origin(invoice.lines[number - 1])}")


def _origin(line: InvoiceLine) -> str:
    """What a line without events follows from."""
    if line.kind not in ("correction", "correction_tax"):
        return f"{line.kind}, which comes from no events"
    what = "taxes" if line.kind == "correction_tax" else "fees and discounts"
    return (
        f"{line.kind} without events of its own: it follows from the {what} of "
        f"{month_billed(line)} computed again with what came late or was changed"
    )
