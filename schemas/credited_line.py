"""Which line of an invoice a credit note credits, so that none is credited twice."""

from dataclasses import replace

import msgspec

from schemas.invoice import Invoice, InvoiceLine


class _Document(msgspec.Struct):
    credits_line: int | None = None


_decode = msgspec.json.Decoder(_Document).decode


def credited_place(note: Invoice) -> int | None:
    """The line that a note names, counted from 1; of an amount it names none."""
    return _decode(note.document).credits_line


def credit_same_line(note: Invoice, other: Invoice) -> bool:
    """Do two notes on one invoice credit the same line?

    A note of a version that did not name it is told by what its line was copied from.
    """
    places = credited_place(note), credited_place(other)
    if None not in places:
        return places[0] == places[1]
    mine, its = note.lines[0], other.lines[0]
    return any(places) and _is_copied(mine) and _without_amounts(mine) == _without_amounts(its)


def _is_copied(line: InvoiceLine) -> bool:
    """Was it a fee or usage, rather than an amount of the whole invoice?"""
    return line.meter is not None or line.fee_minor is not None


def _without_amounts(line: InvoiceLine) -> InvoiceLine:
    return replace(line, amount_minor=0, tax_minor=None, name=None)
