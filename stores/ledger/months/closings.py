"""Closing a month: its cut, its usage, its priced lines, its reconciliation.

Owns what is computed before there are invoices. Figures of a closed month do not change, nor does
what was recorded of their comparison: held tenants follow later by somebody's word.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from schemas.closing import Closing, ClosingState
from schemas.errors import Conflict
from schemas.ledger_ports import LINE_WORKS, LineWork
from schemas.tables import (
    LINE_COLUMNS,
    RECONCILIATION_COLUMNS,
    SEGMENT_COLUMNS,
    USAGE_COLUMNS,
    ArrowStream,
)
from schemas.vector import Vector
from stores.ledger.catalogs import check_catalog_versions
from stores.ledger.columns import streamed
from stores.ledger.merging import merged
from stores.ledger.months.column_slices import ColumnSlice
from stores.ledger.months.month_slices import (
    lines_slice,
    reconciliation_slice,
    segments_slice,
    usage_slice,
)
from stores.ledger.months.slices import check_open
from stores.ledger.outbox import as_json
from stores.ledger.part import LedgerPart, upsert
from stores.ledger.tables.closing_tables import closings


class Closings(LedgerPart):
    """The table `closings`, and the month's slices in columns."""

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
        """The month's usage (`USAGE_COLUMNS`), whole, ordered by tenant, meter, segment, value.

        Raises:
            Conflict: the month is closed. InvalidInput: it is not in this order.
        """
        usage_slice(month).replace(self._engine, usage)

    def usage(self, month: str) -> ArrowStream:
        """What `replace_usage` stored, in its order."""
        return streamed(self._batches(usage_slice(month)), USAGE_COLUMNS)

    def replace_billed_segments(self, month: str, segments: ArrowStream) -> None:
        """Whose plans the month bills (`SEGMENT_COLUMNS`), as they are when its usage is cut.

        Raises:
            Conflict: the month is closed. InvalidInput: they are not by tenant, subscription and
                ordinal.
        """
        segments_slice(month).replace(self._engine, segments)

    def billed_segments(self, month: str) -> ArrowStream | None:
        """What `replace_billed_segments` stored; None before it did."""
        slice_ = segments_slice(month)
        with self._reading() as connection:
            if not slice_.marks.is_there(connection):
                return None
        return streamed(self._batches(slice_), SEGMENT_COLUMNS)

    def replace_lines(self, month: str, work: LineWork, lines: ArrowStream) -> None:
        """The month's lines of one kind of work (`LINE_COLUMNS`), whole.

        They are ordered by tenant, subscription and ordinal.

        Raises:
            Conflict: the month is closed. InvalidInput: they are not in this order.
        """
        lines_slice(month, work).replace(self._engine, lines)

    def lines(self, month: str, works: Sequence[LineWork] = LINE_WORKS) -> ArrowStream:
        """Lines of the month, ordered by tenant, subscription, work, ordinal.

        Those of one kind of work are read as they were stored; several are merged as they come.
        """
        return streamed(self._lines(month, works), LINE_COLUMNS)

    def _lines(self, month: str, works: Sequence[LineWork]) -> Iterator[pa.RecordBatch]:
        with self._reading() as connection:
            ordered = [work for work in LINE_WORKS if work in works]
            sources = [lines_slice(month, work).read(connection) for work in ordered]
            yield from merged(sources)

    def record_reconciliation(self, month: str, rows: ArrowStream) -> None:
        """The month's comparison (`RECONCILIATION_COLUMNS`), whole, by tenant and meter.

        Raises:
            Conflict: the month is closed.
        """
        reconciliation_slice(month).replace(self._engine, rows)

    def reconciliation(self, month: str) -> ArrowStream:
        """What was recorded, by tenant and meter."""
        return streamed(self._batches(reconciliation_slice(month)), RECONCILIATION_COLUMNS)

    def is_reconciled(self, month: str) -> bool:
        """Is a comparison recorded that compares anything?"""
        with self._reading() as connection:
            return reconciliation_slice(month).marks.row_count(connection) > 0

    def _batches(self, slice_: ColumnSlice) -> Iterator[pa.RecordBatch]:
        with self._reading() as connection:
            yield from slice_.read(connection)


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
