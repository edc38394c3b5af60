"""A note in words: what it corrects or credits, line by line."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from pipelines.invoices.descriptions import describe
from schemas.invoice import Invoice
from schemas.money import format_minor

KIND_WIDTH = len("proration_credit")
Corrected = Mapping[int, Sequence[str]]
"""Rows below a line, by its number from 1, that say what it corrects."""
NOTHING_CORRECTED: Corrected = MappingProxyType({})


def explain_note(
    note: Invoice, on: Invoice | None, corrected: Corrected = NOTHING_CORRECTED
) -> str:
    """A note's lines and total; there is no price list behind it but that of what it corrects."""
    of = f", on {on.number or on.id}" if on else ""
    heading = (
        f"Note {note.number or 'draft'} of {note.tenant} for {note.month}, in {note.currency} "
        f"({note.state.value}){of}"
    )
    rows = [heading, *_lines(note, corrected), _row("total", "", note.total_minor, note)]
    return "\n".join(rows) + "\n"


def _lines(note: Invoice, corrected: Corrected) -> Iterator[str]:
    for number, line in enumerate(note.lines, start=1):
        told = f"{describe(line, line.period, note.currency)} → "
        yield _row(line.kind, told, line.amount_minor, note)
        yield from corrected.get(number, ())


def _row(kind: str, what: str, minor: int, note: Invoice) -> str:
    return f"{kind:{KIND_WIDTH}}  {what}{format_minor(minor, note.currency).replace('-', '−')}"
