"""What the warehouse adds to an invoice's explanation, or why it adds nothing: sums need none."""

from typing import TYPE_CHECKING

from countinghouse.settings import Settings
from schemas.errors import DependencyUnreachable
from schemas.invoice import CORRECTION_KINDS, Invoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.explain.line_events import LineEvents, Told
    from schemas.ledger_ports import ClosingLedger


def explained(invoice: Invoice, ledger: "ClosingLedger") -> str:
    """An invoice's explanation; what it corrects is computed again if the warehouse answers."""
    from countinghouse.wiring import usage_reader
    from pipelines.explain.corrections import explain_corrections
    from pipelines.explain.explanation import explain_invoice

    if not any(line.kind in CORRECTION_KINDS for line in invoice.lines):
        return explain_invoice(invoice, ledger)
    try:
        with usage_reader(Settings()) as usage:
            rows = explain_corrections(invoice, ledger, usage)
    except DependencyUnreachable:
        rows = explain_corrections(invoice, ledger, None)
    return explain_invoice(invoice, ledger, rows)


def evidence(found: "Sequence[LineEvents]") -> "tuple[list[Told], str]":
    """What the warehouse says of lines' events, or why it says nothing."""
    from countinghouse.wiring import event_reader
    from pipelines.explain.line_events import tell

    if not found:
        return [], ""
    try:
        with event_reader(Settings()) as reader:
            return [tell(each, reader) for each in found], ""
    except DependencyUnreachable as problem:
        return [], str(problem)
