"""Which slices of columns a month has: plans, usage, lines of each work, and its comparison."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.ledger_ports import LineWork
from schemas.tables import (
    LINE_COLUMNS,
    RECONCILIATION_COLUMNS,
    SEGMENT_COLUMNS,
    USAGE_COLUMNS,
)
from stores.ledger.bulk_insert import insert_columns
from stores.ledger.months.column_slices import ColumnSlice
from stores.ledger.months.slices import Slice
from stores.ledger.tables.closing_tables import reconciled


def usage_slice(month: str) -> ColumnSlice:
    """The month's usage."""
    marks = Slice(month, "usage", until_closed=True)
    return ColumnSlice(marks, USAGE_COLUMNS, ("tenant", "meter", "segment", "value"))


def segments_slice(month: str) -> ColumnSlice:
    """Whose plans the month bills."""
    marks = Slice(month, "segments", until_closed=True)
    return ColumnSlice(marks, SEGMENT_COLUMNS, ("tenant", "subscription", "ordinal"))


def lines_slice(month: str, work: LineWork) -> ColumnSlice:
    """The month's lines of one kind of work."""
    marks = Slice(month, work, until_closed=True)
    return ColumnSlice(marks, LINE_COLUMNS, ("tenant", "subscription", "ordinal"))


def reconciliation_slice(month: str) -> "ReconciliationSlice":
    """The month's comparison."""
    marks = Slice(month, "reconciliation", until_closed=True)
    return ReconciliationSlice(marks, RECONCILIATION_COLUMNS, ("tenant", "meter"))


@dataclass(frozen=True)
class ReconciliationSlice(ColumnSlice):
    """The comparison, and beside it a row for each tenant in `reconciled`, for finalizing."""

    @property
    def live_tenants(self) -> sa.ColumnElement[bool]:
        """The rows of `reconciled` that count."""
        return sa.and_(self._own_tenants, reconciled.c.generation == self.marks.live_generation)

    def _write(
        self, connection: sa.Connection, generation: int, ordinal: int, chunk: pa.Table
    ) -> None:
        super()._write(connection, generation, ordinal, chunk)
        tenants = _tenants(chunk)
        fixed = {"month": self.marks.month, "generation": generation}
        repeated = {name: pa.repeat(value, tenants.num_rows) for name, value in fixed.items()}
        own = {name: tenants[name] for name in ("tenant", "held")}
        insert_columns(connection, reconciled, repeated | own)

    def _own_rows(self) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
        return [*super()._own_rows(), (reconciled, self._own_tenants)]

    @property
    def _own_tenants(self) -> sa.ColumnElement[bool]:
        return reconciled.c.month == self.marks.month


def _tenants(chunk: pa.Table) -> pa.Table:
    """Each tenant, and all the reasons that hold it, as its draft tells them."""
    names, told = pc.unique(chunk["tenant"]), dict[str, str]()
    for row in chunk.filter(pc.is_valid(chunk["held"])).to_pylist():
        before = f"{told[row['tenant']]}; " if row["tenant"] in told else ""
        told[row["tenant"]] = f"{before}{row['meter']}: {row['held']}"
    reasons = pa.array(told.values(), pa.string())
    places = pc.index_in(names, value_set=pa.array(told, pa.string()))
    return pa.table({"tenant": names, "held": reasons.take(places)})
