"""The events behind an invoice's lines in words: how many, what they add up to, their digest."""

from collections.abc import Iterator

from pipelines.explain.line_events import Told
from pipelines.explain.price_steps import quantity
from pipelines.invoices.books import Books
from pipelines.invoices.invoicing import basis
from pipelines.segments.segments import parts
from schemas.invoice import Invoice
from schemas.quantity import format_micro


def block(explanation: str, number: int) -> str:
    """The rows of an invoice's explanation that are of one line, its steps included."""
    blocks: list[list[str]] = []
    for row in explanation.splitlines()[1:]:
        if row.startswith(" ") and blocks:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return "\n".join(blocks[number - 1])


def price_version(invoice: Invoice, number: int, books: Books) -> str:
    """By which version of the price list a line is priced, and that version's SHA-256."""
    version = books.closing.catalog_version
    line = invoice.lines[number - 1]
    for subscription in books.subscriptions:
        if subscription.id == invoice.subscription:
            for part in parts(subscription, subscription.billed_in(books.period)):
                if part.period == line.period and part.plan == line.plan:
                    version = part.catalog_version
    hashes = basis(books.closing, {version: books.offered.catalogs[version]}).catalog_hashes
    return f"price list version {version}, SHA-256 {hashes[version]}"


def evidence_of(told: Told) -> Iterator[str]:
    """What the events of a line say, a row each."""
    of, found = told.of, told.evidence
    many = f"{found.events:,} event{'s' * (found.events != 1)}"
    if not of.is_added_up:
        yield f"{many} of {of.asked.meter}, of which the meter makes its quantity"
    elif told.found_events == found.events and not of.shared_with:
        yield f"{many}, together {quantity(found.quantity_micro)}"
    else:
        yield (
            f"{told.found_events:,} of {many} lie in this line in whole or in part, together "
            f"{quantity(told.found_micro)} of {quantity(found.quantity_micro)}"
        )
    if of.is_added_up:
        yield (
            "which is the line's quantity"
            if told.agrees
            else (f"BUT THE LINE SAYS {quantity(of.quantity_micro)}")
        )
    yield f"digest of all {many}: {found.digest}"


def row(told: Told) -> tuple[str, ...]:
    """The same for a script: numbers as plain text."""
    found = told.evidence
    return (
        str(told.of.number),
        told.of.line.kind,
        told.of.asked.meter,
        format_micro(told.of.line.quantity_micro or 0),
        str(told.found_events),
        format_micro(told.found_micro) if told.of.is_added_up else "",
        str(found.events),
        found.digest,
        str(told.agrees).lower(),
    )
