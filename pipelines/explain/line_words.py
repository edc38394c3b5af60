"""The events behind an invoice's lines in words: how many, what they add up to, their digest."""

from collections.abc import Iterator

from pipelines.explain.corrections import DIFFERS as CORRECTION_DIFFERS
from pipelines.explain.explanation import DIFFERENCE
from pipelines.explain.line_events import Told
from pipelines.explain.price_steps import quantity
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


def differs(explanation: str) -> bool:
    """Does an explanation, or a block of it, say that something computed again is not as billed?"""
    rows = explanation.splitlines()
    is_less = any(row.startswith(" ") and CORRECTION_DIFFERS in row for row in rows)
    return is_less or rows[-1].startswith(DIFFERENCE)


def evidence_of(told: Told) -> Iterator[str]:
    """What the events of a line say, a row each."""
    of, found = told.of, told.evidence
    many = f"{found.events:,} {'late ' * of.is_late}event{'s' * (found.events != 1)}"
    if not of.is_added_up:
        yield f"{many} of {of.asked.meter}, {_made_of(told)}"
    elif of.is_late or (told.found_events == found.events and not of.shared_with):
        yield f"{many}, together {quantity(found.quantity_micro)}"
    else:
        yield (
            f"{told.found_events:,} of {many} lie in this line in whole or in part, together "
            f"{quantity(told.found_micro)} of {quantity(found.quantity_micro)}"
        )
    if of.is_added_up:
        yield (
            f"which is {_whose(told)} quantity"
            if told.agrees
            else f"BUT {_said(told)} {quantity(of.quantity_micro)}"
        )
    yield f"digest of all {many}: {found.digest}"


def _made_of(told: Told) -> str:
    if told.of.is_late:
        return "by which and by what was changed the month was computed again"
    return "of which the meter makes its quantity"


def _whose(told: Told) -> str:
    return f"{_together(told)}'" if _is_joint(told) else "the line's"


def _said(told: Told) -> str:
    return f"{_together(told).upper()} SAY" if _is_joint(told) else "THE LINE SAYS"


def _is_joint(told: Told) -> bool:
    """Do several corrections have their events together?"""
    return told.of.is_late and bool(told.of.shared_with)


def _together(told: Told) -> str:
    return f"lines {', '.join(map(str, sorted((told.of.number, *told.of.shared_with))))}"


def difference(told: Told) -> str:
    """That the events in the warehouse are not those that a line was billed by."""
    found = quantity(told.found_micro)
    return (
        f"line {told.of.number}: its events add up to {found}, BUT {_said(told)} "
        f"{quantity(told.of.quantity_micro)}"
    )


def row(told: Told) -> tuple[int | str | bool | None, ...]:
    """The same for a script; quantities are exact text."""
    found = told.evidence
    return (
        told.of.number,
        told.of.line.kind,
        told.of.asked.meter,
        format_micro(told.of.line.quantity_micro or 0),
        told.found_events,
        format_micro(told.found_micro) if told.of.is_added_up else None,
        found.events,
        found.digest,
        told.agrees,
    )
