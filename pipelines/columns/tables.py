"""Arrow tables of the columns in `schemas.tables`: made from rows, checked, read back.

Owns no rule of money; it is how use cases hand bulk rows to each other.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import pyarrow as pa

from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from schemas.tables import ArrowStream

_CHUNK = 50_000

with contextlib.suppress(NotImplementedError):  # not built in everywhere
    # The default allocator gives pages back at once and faults them in anew: a tenth of a close.
    pa.set_memory_pool(pa.jemalloc_memory_pool())


def schema_of(columns: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of columns such as `LINE_COLUMNS`."""
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])


def as_table(stream: ArrowStream, columns: Mapping[str, str]) -> pa.Table:
    """A stream as a table of exactly these columns.

    Raises:
        pyarrow.ArrowInvalid, KeyError: a column is missing, or a value does not fit its type.
    """
    return pa.table(stream).select(list(columns)).cast(schema_of(columns))


def table_of(rows: Iterable[tuple[Any, ...]], columns: Mapping[str, str]) -> pa.Table:
    """Rows, each in the order of the columns, as a table."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pa.table(dict(zip(columns, map(list, values), strict=True)), schema=schema_of(columns))


def padded(table: pa.Table, columns: Mapping[str, str]) -> pa.Table:
    """The table with columns that are null in every row; they take no memory of its length."""
    for name, kind in columns.items():
        nulls = pa.nulls(_CHUNK, pa.type_for_alias(kind))
        whole, rest = divmod(table.num_rows, _CHUNK)
        chunks = [nulls] * whole + [nulls.slice(0, rest)]
        table = table.append_column(name, pa.chunked_array(chunks))
    return table


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """A table's rows by column name, a batch at a time."""
    for batch in table.to_batches(max_chunksize=_CHUNK):
        yield from batch.to_pylist()


def line_of(row: Mapping[str, Any]) -> InvoiceLine:
    """The invoice line in a row of `LINE_COLUMNS`."""
    return InvoiceLine(
        kind=row["kind"],
        plan=row["plan"],
        period=BillingPeriod(row["period_start_ms"], row["period_end_ms"]),
        amount_minor=row["amount_minor"],
        meter=row["meter"],
        quantity_micro=row["quantity_micro"],
        unit_price_pico=row["unit_price_pico"],
        fee_minor=row["fee_minor"],
        value=row["value"],
        product=row["product"],
        name=row["name"],
        rate_ppm=row["rate_ppm"],
        base_minor=row["base_minor"],
        tax_minor=row["tax_minor"],
    )


def lines_by_subscription(
    lines: pa.Table,
) -> Iterator[tuple[dict[str, Any], tuple[InvoiceLine, ...]]]:
    """Each subscription's first row and its lines, in the table's order."""
    for _, group in groupby(rows_of(lines), key=lambda row: row["subscription"]):
        rows = list(group)
        yield rows[0], tuple(line_of(row) for row in rows)
