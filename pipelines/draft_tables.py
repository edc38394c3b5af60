"""Draft invoices as the ledger takes them in bulk: a table of them and one of their lines."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipelines.tables import table_of
from schemas.invoice import Invoice, InvoiceLine
from schemas.tables import ADJUSTING_COLUMNS, DRAFT_COLUMNS, INVOICE_LINE_COLUMNS

Part = tuple[pa.Table, pa.Table]
"""Some drafts (`DRAFT_COLUMNS`) and all their lines (`INVOICE_LINE_COLUMNS`)."""


def part_of(drafts: Sequence[Invoice]) -> Part:
    """Drafts as tables."""
    heads = (tuple(getattr(draft, name) for name in DRAFT_COLUMNS) for draft in drafts)
    lines = (
        _line_row(draft.id, ordinal, line)
        for draft in drafts
        for ordinal, line in enumerate(draft.lines, 1)
    )
    return table_of(heads, DRAFT_COLUMNS), table_of(lines, INVOICE_LINE_COLUMNS)


def _line_row(invoice: str, ordinal: int, line: InvoiceLine) -> tuple[Any, ...]:
    of_line = "kind", "plan", "meter", "value"
    of_money = "quantity_micro", "unit_price_pico", "fee_minor", "amount_minor", *ADJUSTING_COLUMNS
    return (
        *(invoice, ordinal, *(getattr(line, name) for name in of_line)),
        *(line.period.start_ms, line.period.end_ms),
        *(getattr(line, name) for name in of_money),
    )
