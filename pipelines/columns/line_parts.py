"""Tables in parts of whole tenants, so that memory does not grow with their number."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import schema_of
from schemas.ledger_ports import TenantRange
from schemas.tables import LINE_COLUMNS, ArrowStream

AT_ONCE = 25_000
"""Tenants whose invoices are made or checked together."""

_LINES_OF_ONE = 20
"""Where tenants have more lines than this, a part holds fewer of them."""


def parts_of(lines: ArrowStream, at_once: int = AT_ONCE) -> Iterator[pa.Table]:
    """Lines (`LINE_COLUMNS`, by tenant) as tables of at most so many whole tenants."""
    schema = schema_of(LINE_COLUMNS)
    rest = schema.empty_table()
    for batch in pa.RecordBatchReader.from_stream(lines):
        read = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        *whole, rest = _cut(pa.concat_tables([rest, read]), at_once)
        yield from whole
    if rest.num_rows:
        yield rest


def ranges_of(lines: ArrowStream, at_once: int = AT_ONCE) -> Iterator[tuple[TenantRange, pa.Table]]:
    """The same parts, each with a range of tenants; every tenant there may be is in one of them."""
    first, last = None, schema_of(LINE_COLUMNS).empty_table()
    for part in parts_of(lines, at_once):
        if last.num_rows:
            end = part["tenant"][0].as_py()
            yield (first, end), last
            first = end
        last = part
    yield (first, None), last


def begins(names: pa.ChunkedArray) -> pa.Array:
    """For each row, is it the first of its name? A name's rows stand together."""
    if not len(names):
        return pa.array([], pa.bool_())
    differs = pc.not_equal(names.slice(1), names.slice(0, len(names) - 1))
    return pa.concat_arrays([pa.array([True]), *differs.chunks])


def between(table: pa.Table, first: str | None, end: str | None) -> pa.Table:
    """The rows of the tenants from the first to before the end, where they are in order."""
    names, count = table["tenant"], table.num_rows

    def row_of(tenant: str) -> int:
        return bisect_left(range(count), tenant, key=lambda row: names[row].as_py())

    start = 0 if first is None else row_of(first)
    return table.slice(start, (count if end is None else row_of(end)) - start)


def _cut(lines: pa.Table, at_once: int) -> list[pa.Table]:
    """Parts of the lines; more may follow of the last."""
    starts = pc.indices_nonzero(begins(lines["tenant"])).to_pylist()
    bounds = [0, *_bounds(starts, at_once), lines.num_rows]
    return [lines.slice(start, end - start) for start, end in pairwise(bounds)]


def _bounds(starts: Sequence[int], at_once: int) -> Iterator[int]:
    """The rows at which the parts after the first begin."""
    first = 0
    while first < len(starts):
        full = bisect_left(starts, starts[first] + _LINES_OF_ONE * at_once, first + 1)
        first = min(first + at_once, full)
        if first < len(starts):
            yield starts[first]
