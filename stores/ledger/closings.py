"""Closing a month: its cut, its usage, its priced lines, its reconciliation.

Owns what is computed before there are invoices. Figures of a closed month do not change; its
reconciliation may be recorded again, so that held tenants can follow later.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.closing import Closing, ClosingState, Reconciliation
from schemas.errors import Conflict
from schemas.ports import LINE_WORKS, LineWork
from schemas.tables import LINE_COLUMNS, USAGE_COLUMNS, ArrowStream
from schemas.vector import Vector
from stores.ledger.catalogs import check_catalog_versions
from stores.ledger.outbox import as_json
from stores.ledger.part import LedgerPart, chunks, upsert
from stores.ledger.slices import Slice, check_open
from stores.ledger.staging import CHUNK, arrow_schema
from stores.ledger.tables import closed_usage, closings, invoice_line_drafts, reconciliations

WORK_ORDER = {work: place for place, work in enumerate(LINE_WORKS)}
"""Lines of which work come first on an invoice."""

RECONCILIATION_COLUMNS = {
    "tenant": "string",
    "meter": "string",
    "counter_micro": "int64",
    "warehouse_micro": "int64",
    "beyond_window_micro": "int64",
    "billed_micro": "int64",
    "unpriced_micro": "int64",
    "held": "string",
}


class Closings(LedgerPart):
    """The tables `closings`, `closed_usage`, `invoice_line_drafts` and `reconciliations`."""

    def closing(self, month: str) -> Closing | None:
        """The month's closing, if one was opened."""
        query = sa.select(closings).where(closings.c.month == month)
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _closing(row)

    def opened_closings(self) -> list[Closing]:
        """Every closing that was opened, awaited ones not, in the order in which they were."""
        opened = closings.c.state != ClosingState.AWAITING.value
        query = sa.select(closings).where(opened)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(closings.c.opened_ms, closings.c.month))
            return [_closing(row) for row in rows]

    def save_closing(self, closing: Closing) -> None:
        """Insert or replace a closing that is not closed; a closed one stays (Conflict)."""
        if closing.state is ClosingState.CLOSED:
            raise Conflict(f"{closing.month} is closed by finalizing its invoices, not by hand")
        values = {
            "month": closing.month,
            "vector": as_json(closing.vector.to_json()),
            "catalog_version": closing.catalog_version,
            "code_version": closing.code_version,
            "opened_ms": closing.opened_ms,
            "state": closing.state.value,
            "without_counters": closing.without_counters,
        }
        with self._writing() as connection:
            check_open(connection, closing.month)
            check_catalog_versions(connection, {closing.catalog_version})
            saved = upsert(connection, closings).values(values)
            connection.execute(saved.on_conflict_do_update(index_elements=["month"], set_=values))

    def replace_usage(self, month: str, usage: ArrowStream) -> None:
        """The month's usage (`USAGE_COLUMNS`), whole. Raises Conflict when the month is closed."""
        usage_slice(month).replace(self._engine, usage, USAGE_COLUMNS)

    def usage(self, month: str) -> ArrowStream:
        """What `replace_usage` stored, ordered by tenant, meter, segment, value."""
        rows = closed_usage.c
        query = sa.select(*(rows[name] for name in USAGE_COLUMNS))
        query = query.where(usage_slice(month).live_rows)
        order = (rows.tenant, rows.meter, rows.segment, rows.value)
        return self._stream(query.order_by(*order), USAGE_COLUMNS)

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        """The month's lines of one kind of work (`LINE_COLUMNS`), whole.

        Raises Conflict when the month is closed.
        """
        lines_slice(month, work).replace(self._engine, lines, LINE_COLUMNS)

    def lines(self, month: str, works: Sequence[LineWork] = LINE_WORKS) -> ArrowStream:
        """Lines of the month, ordered by tenant, subscription, work, ordinal."""
        rows = invoice_line_drafts.c
        live = sa.or_(*(lines_slice(month, work).live_rows for work in works))
        query = sa.select(*(rows[name] for name in LINE_COLUMNS))
        query = query.where(rows.month == month, live)
        order = (rows.tenant, rows.subscription, rows.work, rows.ordinal)
        return self._stream(query.order_by(*order), LINE_COLUMNS)

    def record_reconciliation(self, month: str, rows: Iterable[Reconciliation]) -> None:
        """The month's comparison, whole; finalizing reads it."""
        schema = arrow_schema(RECONCILIATION_COLUMNS)
        batches = (_batch(chunk, schema) for chunk in chunks(map(astuple, rows), CHUNK))
        stream = pa.RecordBatchReader.from_batches(schema, batches)
        reconciliation_slice(month).replace(self._engine, stream, RECONCILIATION_COLUMNS)

    def reconciliation(self, month: str) -> list[Reconciliation]:
        """What was recorded, by tenant and meter."""
        rows = reconciliations.c
        query = sa.select(*(rows[name] for name in RECONCILIATION_COLUMNS))
        query = query.where(reconciliation_slice(month).live_rows)
        with self._reading() as connection:
            found = connection.execute(query.order_by(rows.tenant, rows.meter))
            return [Reconciliation(*row) for row in found]

    def _stream(self, query: sa.Select[Any], columns: Mapping[str, str]) -> ArrowStream:
        schema = arrow_schema(columns)
        reader: ArrowStream = pa.RecordBatchReader.from_batches(
            schema, self._batches(query, schema)
        )
        return reader

    def _batches(self, query: sa.Select[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._reading() as connection:
            result = connection.execution_options(yield_per=CHUNK).execute(query)
            for rows in result.partitions():
                yield _batch(rows, schema)


def usage_slice(month: str) -> Slice:
    """The month's usage."""
    return Slice(month, "usage", closed_usage, until_closed=True)


def lines_slice(month: str, work: LineWork) -> Slice:
    """The month's lines of one kind of work."""
    own = {"work": WORK_ORDER[work]}
    return Slice(month, work, invoice_line_drafts, own, until_closed=True)


def reconciliation_slice(month: str) -> Slice:
    """The month's comparison."""
    return Slice(month, "reconciliation", reconciliations)


def _batch(rows: Iterable[Any], schema: pa.Schema) -> pa.RecordBatch:
    values = zip(*rows, strict=True)
    arrays = [pa.array(each, it.type) for each, it in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _closing(row: sa.Row[Any]) -> Closing:
    return Closing(
        month=row.month,
        vector=Vector.from_json(json.loads(row.vector)),
        catalog_version=row.catalog_version,
        code_version=row.code_version,
        opened_ms=row.opened_ms,
        state=ClosingState(row.state),
        without_counters=row.without_counters,
    )
