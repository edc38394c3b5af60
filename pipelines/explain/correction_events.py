"""Which events are behind a correction of a meter: those that its closed month had not read.

They lie in the log beyond the vector of the month, or of the correction before, and before that of
the close which made this one.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pipelines.explain.corrected_month import CorrectedMonth, corrected_months
from pipelines.explain.line_events import LineEvents
from pipelines.segments.segments import Part, parts
from pipelines.usage.metering import meters_of
from schemas.evidence import EventsOf
from schemas.invoice import Invoice, InvoiceLine, month_billed
from schemas.ledger_ports import ClosingLedger
from schemas.period import BillingPeriod

Numbered = Sequence[tuple[int, InvoiceLine]]


def correction_events(invoice: Invoice, ledger: ClosingLedger) -> Iterator[LineEvents]:
    """Every line that corrects a meter, with its events."""
    made = [
        (number, line)
        for number, line in enumerate(invoice.lines, start=1)
        if line.kind == "correction" and line.meter is not None
    ]
    months = corrected_months(invoice, ledger)
    for number, line in made:
        yield _line_events(number, line, made, invoice, months[month_billed(line)])


def _line_events(
    number: int, line: InvoiceLine, made: Numbered, invoice: Invoice, of: CorrectedMonth
) -> LineEvents:
    found = _parts(line, of)
    of_plan = _of_its_plan(line, found, of)
    group = _group(line, made, own_plan=bool(of_plan))
    is_valued = all(each.value is not None for _, each in group)
    if is_valued:
        group = [(place, each) for place, each in group if each.value == line.value]
    asked = EventsOf(
        invoice.tenant,
        line.meter or "",
        _reach(of_plan or found, line),
        of.closing.vector,
        line.value if is_valued else None,
        after=of.since,
    )
    return LineEvents(
        number,
        line,
        asked,
        "included",
        sum(each.quantity_micro or 0 for _, each in group),
        tuple(place for place, _ in group if place != number),
        _is_added_up(line, of_plan or found, of),
    )


def _parts(line: InvoiceLine, of: CorrectedMonth) -> list[Part]:
    return parts(of.subscription, line.period) if of.subscription else []


def _of_its_plan(line: InvoiceLine, found: Sequence[Part], of: CorrectedMonth) -> list[Part]:
    """The plan's one part, whose time tells the line's events from those of other plans.

    A plan that comes twice, or was changed since, has corrections together with the others.
    """
    own = [part for part in found if part.plan == line.plan]
    return own if len(own) == 1 and not of.is_replanned else []


def _group(line: InvoiceLine, made: Numbered, *, own_plan: bool) -> Numbered:
    return [
        (place, each)
        for place, each in made
        if each.meter == line.meter and month_billed(each) == month_billed(line)
        if each.plan == line.plan or not own_plan
    ]


def _reach(found: Sequence[Part], line: InvoiceLine) -> BillingPeriod:
    if not found:
        return line.period
    return BillingPeriod(found[0].period.start_ms, found[-1].period.end_ms)


def _is_added_up(line: InvoiceLine, found: Sequence[Part], of: CorrectedMonth) -> bool:
    """Is the line's quantity what its events add up to, and nothing else?

    A change of plans moves usage from one line to another, and out of what is billed; an invoice
    that was made void or again since is corrected as a whole.
    """
    additive: Mapping[str, bool] = {it.name: it.is_additive for it in meters_of(of.books.catalogs)}
    is_gapless = all(a.period.end_ms == b.period.start_ms for a, b in pairwise(found))
    is_as_it_was = not of.is_replanned and of.changed_since is None and not of.is_made_again
    return additive.get(line.meter or "", True) and bool(found) and is_gapless and is_as_it_was
