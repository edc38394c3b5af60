"""A note in words: what it corrects or credits, line by line."""

from pipelines.invoices.descriptions import describe
from schemas.invoice import Invoice
from schemas.money import format_minor

KIND_WIDTH = len("proration_credit")


def explain_note(note: Invoice, corrected: Invoice | None) -> str:
    """A note's lines and total; there is no price list behind it but that of what it corrects."""
    of = f", on {corrected.number or corrected.id}" if corrected else ""
    heading = (
        f"Note {note.number or 'draft'} of {note.tenant} for {note.month}, in {note.currency} "
        f"({note.state.value}){of}"
    )
    rows = [
        _row(line.kind, f"{describe(line, line.period, note.currency)} → ", line.amount_minor, note)
        for line in note.lines
    ]
    return "\n".join([heading, *rows, _row("total", "", note.total_minor, note)]) + "\n"


def _row(kind: str, what: str, minor: int, note: Invoice) -> str:
    return f"{kind:{KIND_WIDTH}}  {what}{format_minor(minor, note.currency).replace('-', '−')}"
