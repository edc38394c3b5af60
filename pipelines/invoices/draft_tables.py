"""Draft invoices as the ledger takes them in bulk: a table of them and one of their lines."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.line_parts import AT_ONCE, begins
from pipelines.columns.tables import schema_of, table_of
from schemas.errors import InvalidInput
from schemas.invoice import Invoice, InvoiceLine, InvoiceState, invoice_id
from schemas.tables import ADJUSTING_COLUMNS, DRAFT_COLUMNS, INVOICE_LINE_COLUMNS

Part = tuple[pa.Table, pa.Table]
"""Some drafts (`DRAFT_COLUMNS`) and all their lines (`INVOICE_LINE_COLUMNS`)."""


def drafts_of(invoices: Iterable[Invoice], at_once: int = AT_ONCE) -> Iterator[Part]:
    """Drafts in parts, made as they are asked for.

    Raises:
        InvalidInput: one is no draft.
    """
    source = iter(invoices)
    while part := list(islice(source, at_once)):
        for invoice in part:
            if invoice.state is not InvoiceState.DRAFT:
                raise InvalidInput(f"{invoice.id} is not a draft")
        yield part_of(part)


def part_of(drafts: Sequence[Invoice]) -> Part:
    """Drafts as tables."""
    heads = (tuple(getattr(draft, name) for name in DRAFT_COLUMNS) for draft in drafts)
    return table_of(heads, DRAFT_COLUMNS), line_table((each.id, each.lines) for each in drafts)


def line_table(named: Iterable[tuple[str, Iterable[InvoiceLine]]]) -> pa.Table:
    """The lines (`INVOICE_LINE_COLUMNS`) of invoices by their ids."""
    rows = (
        _line_row(invoice, ordinal, line)
        for invoice, lines in named
        for ordinal, line in enumerate(lines, 1)
    )
    return table_of(rows, INVOICE_LINE_COLUMNS)


def lines_of(lines: pa.Table, month: str) -> pa.Table:
    """What whole subscriptions' lines (`LINE_COLUMNS`) are on a month's invoices."""
    is_first = begins(lines["subscription"])
    starts = pc.indices_nonzero(is_first).cast(pa.int64())
    numbers = pc.subtract(pc.cumulative_sum(is_first.cast(pa.int32())), 1)
    ids = pc.binary_join_element_wise(
        lines["subscription"].combine_chunks().take(starts), invoice_id("", month), ""
    )
    ordinals = pc.subtract(pa.arange(1, lines.num_rows + 1), starts.take(numbers))
    own = {"invoice": ids.take(numbers), "ordinal": ordinals.cast(pa.int32())}
    named = {name: own[name] if name in own else lines[name] for name in INVOICE_LINE_COLUMNS}
    return pa.table(named, schema=schema_of(INVOICE_LINE_COLUMNS))


def _line_row(invoice: str, ordinal: int, line: InvoiceLine) -> tuple[Any, ...]:
    of_line = "kind", "plan", "meter", "value"
    of_money = "quantity_micro", "unit_price_pico", "fee_minor", "amount_minor", *ADJUSTING_COLUMNS
    return (
        *(invoice, ordinal, *(getattr(line, name) for name in of_line)),
        *(line.period.start_ms, line.period.end_ms),
        *(getattr(line, name) for name in of_money),
    )
