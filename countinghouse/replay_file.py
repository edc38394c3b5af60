"""Reads a file of requests as usage events: parquet or CSV, one event a row.

Owns the file's columns and what is said when they are wrong. Ids are row numbers, from 1: equal
rows are different events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import InvalidInput

COLUMNS = ("tenant", "time", "model", "input_tokens", "output_tokens")
EVENT_TYPE = "llm.request"
CHUNK_ROWS = 10_000
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_WHOLE = r"regexp_full_match({name}, '-?[0-9]{{1,18}}')"
_REMEDIES = {
    "tenant": "write 1 to 200 characters",
    "time": "write UTC, such as 2026-10-01T12:30:00.250Z",
    "model": "write the model's name",
    "input_tokens": "write a whole number",
    "output_tokens": "write a whole number",
}

_EVENTS = """
SELECT
    tenant,
    CASE
        WHEN coalesce(length(tenant), 0) NOT BETWEEN 1 AND 200 THEN 'tenant'
        WHEN try_cast(time AS TIMESTAMPTZ) IS NULL THEN 'time'
        WHEN coalesce(length(model), 0) = 0 THEN 'model'
        WHEN NOT coalesce({is_whole_input}, false) THEN 'input_tokens'
        WHEN NOT coalesce({is_whole_output}, false) THEN 'output_tokens'
    END AS problem,
    concat(
        '"subject":', to_json(tenant),
        ',"time":"', strftime(
            try_cast(time AS TIMESTAMPTZ) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'
        ),
        '","data":{{"model":', to_json(model),
        ',"input_tokens":', input_tokens,
        ',"output_tokens":', output_tokens,
        '}}}}'
    ) AS ending
FROM rows
{limit}
"""


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """A file's events: `source` names it in each, `rows` has `tenant` and the JSON's `ending`."""

    source: str
    rows: pa.Table

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @property
    def tenants(self) -> pa.Array:
        """The tenant of each row."""
        return self.rows["tenant"].combine_chunks()

    def events(self, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each row's record, from the row with index `start` on."""
        for first in range(start, len(self), CHUNK_ROWS):
            chunk = self.rows.slice(first, CHUNK_ROWS)
            endings = chunk["ending"].to_pylist()
            for index, tenant in enumerate(chunk["tenant"].to_pylist()):
                yield tenant.encode(), self._value(first + index, endings[index])

    def event(self, row: int) -> tuple[bytes, bytes]:
        """Key and value of the record of the row with this index."""
        return self.rows["tenant"][row].as_py().encode(), self._value(
            row, self.rows["ending"][row].as_py()
        )

    def has(self, row: int, tenant: str, instant: str) -> bool:
        """Is the row with this index of this tenant and time?"""
        is_of_tenant = self.rows["tenant"][row].as_py() == tenant
        return is_of_tenant and f',"time":"{instant}",' in self.rows["ending"][row].as_py()

    def _value(self, row: int, ending: str) -> bytes:
        return (
            f'{{"specversion":"1.0","id":"{row + 1}","source":"{self.source}",'
            f'"type":"{EVENT_TYPE}",{ending}'
        ).encode()


def read_source(path: Path, limit: int | None = None) -> ReplaySource:
    """Read the first `limit` rows of a parquet or CSV file, all of them without a limit.

    A time without a zone is UTC; digits finer than a millisecond are cut.

    Raises:
        InvalidInput: the file cannot be read, or a column or row is wrong; the text names it.
    """
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: name a parquet or CSV file in it")
    if not path.is_file():
        raise InvalidInput(f"{path} does not exist: name a parquet or CSV file")
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        try:
            rows = _opened(engine, path)
            _check_columns(rows, path)
            engine.register("rows", rows)
            events = engine.sql(_query(rows, limit)).to_arrow_table()
        except duckdb.Error as problem:
            first_line = str(problem).strip().splitlines()[0]
            raise InvalidInput(f"{path} cannot be read: {first_line}") from problem
    _check_rows(events, path)
    name = path.name.replace("\\", "_").replace('"', "_")
    return ReplaySource(f"replay:{name}", events)


def _opened(engine: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyRelation:
    match path.suffix.lower():
        case ".parquet":
            return engine.read_parquet(str(path))
        case ".csv":
            return engine.read_csv(str(path), header=True, all_varchar=True)
    raise InvalidInput(f"{path} is neither .parquet nor .csv: name a file of these kinds")


def _check_columns(rows: duckdb.DuckDBPyRelation, path: Path) -> None:
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing:
        raise InvalidInput(
            f"{path} has no column {', '.join(missing)}: it needs {', '.join(COLUMNS)}"
        )


def _query(rows: duckdb.DuckDBPyRelation, limit: int | None) -> str:
    kinds = dict(zip(rows.columns, map(str, rows.types), strict=True))
    return _EVENTS.format(
        is_whole_input=_is_whole("input_tokens", kinds),
        is_whole_output=_is_whole("output_tokens", kinds),
        limit="" if limit is None else f"LIMIT {limit}",
    )


def _is_whole(name: str, kinds: dict[str, str]) -> str:
    """SQL that says whether a value is a whole number: by its type, or its text in a CSV."""
    if kinds[name] in _INTEGERS:
        return f"{name} IS NOT NULL"
    return _WHOLE.format(name=name) if kinds[name] == "VARCHAR" else "false"


def _check_rows(events: pa.Table, path: Path) -> None:
    problems = events["problem"].combine_chunks()
    if problems.null_count == len(problems):
        return
    row = pc.index(pc.is_valid(problems), pa.scalar(True)).as_py()
    column = problems[row].as_py()
    raise InvalidInput(f"{path}, row {row + 1}, column {column}: {_REMEDIES[column]}")
