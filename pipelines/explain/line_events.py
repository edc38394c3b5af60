"""Which events are behind a line of usage, and which part of each lies in it.

A part's events use up what is included in the order of their time, so those of an `included` line
and of the `overage` or `not_billed` line beside it are told apart, and one may be in both. What was
left when the part began follows from the lines themselves, whatever the plan's policies.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.invoices.books import Books
from pipelines.usage.metering import meters_of
from schemas.evidence import EventReader, EventsOf, Evidence
from schemas.invoice import USAGE_KINDS, Invoice, InvoiceLine
from schemas.vector import Vector

Side = Literal["included", "beyond"]
_ALL_BEYOND = -(2**61)
"""So little was left that no quantity which fits comes back into what is included."""


@dataclass(frozen=True, slots=True)
class LineEvents:
    """The events of a line, which lines share them, and what the lines of its side hold together.

    `is_added_up`: the line's quantity is the sum of what its events have in it; of a meter that
    does not add up, it is their maximum, average or whatever the meter makes of them.
    """

    number: int
    line: InvoiceLine
    asked: EventsOf
    side: Side
    quantity_micro: int
    shared_with: tuple[int, ...]
    is_added_up: bool

    @property
    def is_late(self) -> bool:
        """Are they those that came after their month was closed?"""
        return self.line.kind == "correction"


@dataclass(frozen=True, slots=True)
class Told:
    """A line's events and what the warehouse says of them."""

    of: LineEvents
    evidence: Evidence

    @property
    def found_micro(self) -> int:
        """What of the events lies in the line."""
        is_within = self.of.side == "included"
        return self.evidence.included_micro if is_within else self.evidence.beyond_micro

    @property
    def found_events(self) -> int:
        """How many events have a part in the line."""
        is_within = self.of.side == "included"
        return self.evidence.included_events if is_within else self.evidence.beyond_events

    @property
    def agrees(self) -> bool:
        """Does what the events add up to equal the line?"""
        return not self.of.is_added_up or self.found_micro == self.of.quantity_micro


def usage_lines(invoice: Invoice, books: Books) -> Iterator[LineEvents]:
    """Every line of usage with its events; fees and what follows have none."""
    added_up = {meter.name: meter.is_additive for meter in meters_of(books.catalogs)}
    for number, line in enumerate(invoice.lines, start=1):
        if line.kind in USAGE_KINDS and line.meter is not None:
            yield _line_events(number, line, invoice, books.closing.vector, added_up)


def tell(of: LineEvents, reader: EventReader) -> Told:
    """What the warehouse says of a line's events."""
    return Told(of, reader.evidence(of.asked))


def _line_events(
    number: int,
    line: InvoiceLine,
    invoice: Invoice,
    as_of: Vector,
    added_up: Mapping[str, bool],
) -> LineEvents:
    within = [
        (place, each)
        for place, each in enumerate(invoice.lines, start=1)
        if each.meter == line.meter and each.period == line.period and each.kind in USAGE_KINDS
    ]
    value = _value(line, [each for _, each in within])
    group = [(place, each) for place, each in within if value is None or each.value == value]
    side = _side(line)
    is_added_up = added_up.get(line.meter or "", True)
    included = sum(each.quantity_micro or 0 for _, each in group if _side(each) == "included")
    beyond = sum(each.quantity_micro or 0 for _, each in group if _side(each) == "beyond")
    left = _left(included, beyond) if is_added_up else None
    return LineEvents(
        number,
        line,
        EventsOf(invoice.tenant, line.meter or "", line.period, as_of, value, left),
        side,
        included if side == "included" else beyond,
        tuple(place for place, _ in group if place != number),
        is_added_up,
    )


def _value(line: InvoiceLine, within: list[InvoiceLine]) -> str | None:
    """The value that tells a line's events apart; where a line beside it has none, none does."""
    return None if any(each.value is None for each in within) else line.value


def _side(line: InvoiceLine) -> Side:
    return "included" if line.kind == "included" else "beyond"


def _left(included: int, beyond: int) -> int | None:
    """What was left of what is included when the events began.

    With c used since, max(0, c - left) - max(0, -left) is beyond; so it is told from both sums.
    """
    if not beyond:
        return None
    if not included:
        return _ALL_BEYOND
    return included if beyond > 0 else beyond
