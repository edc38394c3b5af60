"""FOCUS rows as text for a CSV file: plain decimals, UTC instants, nothing for null."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from pipelines.columns.engine import database
from pipelines.reports.focus import MOMENT, SCHEMA

# Instants without a zone, which are UTC: DuckDB would tell them in the machine's.
_IN_UTC = pa.schema(
    [pa.field(it.name, pa.timestamp("ms") if it.type == MOMENT else it.type) for it in SCHEMA]
)


def in_text(tables: Iterable[pa.Table]) -> Iterator[Sequence[Any]]:
    """The rows of tables of charges, with their heading first."""
    yield SCHEMA.names
    for table in tables:
        with database({"charges": table.cast(_IN_UTC)}) as connection:
            told = connection.table("charges").project(_TEXTS).to_arrow_table()
        yield from zip(*(column.to_pylist() for column in told.columns), strict=True)


def _text(name: str, kind: pa.DataType) -> str:
    """A column in DuckDB's words; a decimal always has a point there, which is taken off last."""
    if pa.types.is_decimal(kind):
        return f"rtrim(rtrim(\"{name}\"::VARCHAR, '0'), '.')"
    if pa.types.is_timestamp(kind):
        return f"strftime(\"{name}\", '%Y-%m-%dT%H:%M:%SZ')"
    return f'"{name}"'


_TEXTS = ", ".join(_text(field.name, field.type) for field in SCHEMA)
