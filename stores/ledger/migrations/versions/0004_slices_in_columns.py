"""Usage, lines and comparisons of a month as chunks of compressed columns in place of rows."""

from collections.abc import Iterator

import pyarrow as pa
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ROWS = 50_000
_PACKED = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1))
_USAGE = {
    "tenant": "string",
    "meter": "string",
    "segment": "int32",
    "value": "string",
    "quantity_micro": "int64",
    "events": "int64",
}
_LINES = {
    "tenant": "string",
    "subscription": "string",
    "currency": "string",
    "ordinal": "int32",
    "kind": "string",
    "meter": "string",
    "value": "string",
    "plan": "string",
    "period_start_ms": "int64",
    "period_end_ms": "int64",
    "quantity_micro": "int64",
    "unit_price_pico": "int64",
    "fee_minor": "int64",
    "amount_minor": "int64",
    "product": "string",
    "name": "string",
    "rate_ppm": "int64",
    "base_minor": "int64",
    "tax_minor": "int64",
}
_RECONCILIATION = {
    "tenant": "string",
    "meter": "string",
    "counter_micro": "int64",
    "warehouse_micro": "int64",
    "beyond_window_micro": "int64",
    "billed_micro": "int64",
    "unpriced_micro": "int64",
    "held": "string",
}
_WORKS = ("prorations", "charges", "adjustments", "corrections")
_OLD = ("closed_usage", "invoice_line_drafts", "reconciliations")


def upgrade() -> None:
    """What counts is converted; what killed runs have left goes with the old tables."""
    _create()
    connection = op.get_bind()
    marks = connection.execute(sa.text("SELECT month, slice, live FROM closing_slices")).all()
    for month, name, live in marks:
        if (source := _source(name)) is not None:
            table, columns, also = source
            _convert(connection, (month, name, live), table, columns, also)
    _reconciled(connection)
    for table in _OLD:
        op.drop_table(table)


def _create() -> None:
    op.create_table(
        "slice_chunks",
        sa.Column("month", _TEXT, primary_key=True),
        sa.Column("slice", _TEXT, primary_key=True),
        sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("rows", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "reconciled",
        sa.Column("month", _TEXT, primary_key=True),
        sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("held", _TEXT),
        sqlite_with_rowid=False,
    )


def _source(name: str) -> tuple[str, dict[str, str], str] | None:
    """Where a slice's rows were: their table, its columns, and what else they are known by."""
    if name == "usage":
        return "closed_usage", _USAGE, ""
    if name == "reconciliation":
        return "reconciliations", _RECONCILIATION, ""
    if name in _WORKS:
        return "invoice_line_drafts", _LINES, f"AND work = {_WORKS.index(name)}"
    return None


def _convert(
    connection: sa.Connection,
    mark: tuple[str, str, int],
    table: str,
    columns: dict[str, str],
    also: str,
) -> None:
    month, name, live = mark
    put = sa.text(
        'INSERT INTO slice_chunks (month, slice, generation, ordinal, row_count, "rows")'
        " VALUES (:month, :slice, :live, :ordinal, :row_count, :rows)"
    )
    keys = _keys(columns)
    query = sa.text(
        f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608
        f" WHERE month = :month AND generation = :live {also} ORDER BY {keys}"
    ).bindparams(month=month, live=live)
    whose = {"month": month, "slice": name, "live": live}
    for ordinal, rows in enumerate(_chunks(connection, query, columns), start=1):
        chunk = {"ordinal": ordinal, "row_count": rows.num_rows, "rows": _pack(rows)}
        connection.execute(put, whose | chunk)


def _keys(columns: dict[str, str]) -> str:
    if columns is _LINES:
        return "tenant, subscription, ordinal"
    return "tenant, meter, segment, value" if columns is _USAGE else "tenant, meter"


def _chunks(
    connection: sa.Connection, query: sa.TextClause, columns: dict[str, str]
) -> Iterator[pa.Table]:
    """Tables of about as many rows; a chunk holds all rows of each of its tenants."""
    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    waiting: list[tuple[object, ...]] = []
    for row in connection.execute(query):
        if len(waiting) >= _ROWS and row[0] != waiting[-1][0]:
            yield _table(waiting, schema)
            waiting = []
        waiting.append(tuple(row))
    if waiting:
        yield _table(waiting, schema)


def _table(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    values = zip(*rows, strict=True)
    arrays = [pa.array(each, it.type) for each, it in zip(values, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _pack(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_PACKED) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def _reconciled(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO reconciled (month, generation, tenant, held)"
            " SELECT r.month, r.generation, r.tenant, max(r.held) FROM reconciliations AS r"
            " JOIN closing_slices AS s ON s.month = r.month AND s.slice = 'reconciliation'"
            " WHERE r.generation = s.live GROUP BY r.month, r.generation, r.tenant"
        )
    )
