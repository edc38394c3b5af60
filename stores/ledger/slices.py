"""A month's slices: rows that are replaced as a whole, whatever is killed in between.

Each replacement writes its rows under a new generation and then marks that generation as the
live one. Readers see live rows only; rows of any other generation are rubbish of a killed run
and go with the next one. Of two runs at once the later one wins and the earlier one is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict
from schemas.tables import ArrowStream
from stores.ledger.connection import transaction, writing
from stores.ledger.part import upsert
from stores.ledger.staging import Staged, staged, typed
from stores.ledger.tables import closing_slices, closings


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of a table: those of a month, and of `also` where that names further columns."""

    month: str
    name: str
    table: sa.Table
    also: Mapping[str, int] = field(default_factory=dict)
    until_closed: bool = False
    """Is it Conflict to replace the slice once its month is closed?"""

    @property
    def rows(self) -> sa.ColumnElement[bool]:
        """Rows of the slice, of whatever generation."""
        fixed = ((self.table.c[name] == value) for name, value in self.also.items())
        return sa.and_(self.table.c.month == self.month, *fixed)

    @property
    def live_generation(self) -> sa.ScalarSelect[int]:
        """The generation whose rows count, for a WHERE clause."""
        return sa.select(closing_slices.c.live).where(self._mark).scalar_subquery()

    @property
    def live_rows(self) -> sa.ColumnElement[bool]:
        """The rows that count."""
        return sa.and_(self.rows, self.table.c.generation == self.live_generation)

    @property
    def _mark(self) -> sa.ColumnElement[bool]:
        return sa.and_(closing_slices.c.month == self.month, closing_slices.c.slice == self.name)

    def begin(self, connection: sa.Connection) -> int:
        """Open a new generation; earlier ones can no longer be completed."""
        self._check_closing(connection)
        opened = upsert(connection, closing_slices).on_conflict_do_update(
            index_elements=["month", "slice"], set_={"started": closing_slices.c.started + 1}
        )
        new = {"month": self.month, "slice": self.name, "started": 1}
        started = closing_slices.c.started
        return int(connection.execute(opened.values(new).returning(started)).scalar_one())

    def check_owner(self, connection: sa.Connection, generation: int) -> None:
        """Raise Conflict if another run has begun the same slice, or closed it, meanwhile."""
        self._check_closing(connection)
        query = sa.select(closing_slices.c.started).where(self._mark).with_for_update()
        if connection.execute(query).scalar() != generation:
            raise Conflict(f"another run writes the {self.name} of {self.month}; let it finish")

    def complete(self, connection: sa.Connection, generation: int, row_count: int) -> None:
        """Mark a generation as the slice."""
        self.check_owner(connection, generation)
        marked = sa.update(closing_slices).where(self._mark)
        connection.execute(marked.values(live=generation, row_count=row_count))

    def is_whole(self, connection: sa.Connection) -> bool:
        """Is the slice there, and no later one begun and cut off?"""
        query = sa.select(closing_slices.c.live == closing_slices.c.started).where(self._mark)
        return bool(connection.execute(query).scalar())

    def replace(self, engine: sa.Engine, rows: ArrowStream, columns: Mapping[str, str]) -> None:
        """Replace the slice by these rows."""
        with staged(engine, {"rows": typed(rows, columns)}) as stage:
            with transaction(stage.connection):
                generation = self.begin(stage.connection)
                self._delete(stage.connection, self.table.c.generation != self.live_generation)
            count = self._copy(stage, generation, columns)
            with transaction(stage.connection):
                self.complete(stage.connection, generation, count)
        with writing(engine) as connection:
            self._delete(connection, self.table.c.generation < generation)

    def _copy(self, stage: Staged, generation: int, columns: Mapping[str, str]) -> int:
        source = stage.table("rows", columns)
        fixed = {**self.also, "month": self.month, "generation": generation}
        literals = [sa.literal(value).label(name) for name, value in fixed.items()]
        key = [source.c[column.name] for column in self.table.primary_key if column.name in columns]
        count = 0
        for part in stage.ranges(source):
            chosen = sa.select(*(source.c[name] for name in columns), *literals).where(part)
            copy = sa.insert(self.table).from_select([*columns, *fixed], chosen.order_by(*key))
            with transaction(stage.connection):
                self.check_owner(stage.connection, generation)
                count += stage.connection.execute(copy).rowcount
        return count

    def _check_closing(self, connection: sa.Connection) -> None:
        if self.until_closed:
            check_open(connection, self.month)

    def _delete(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
        connection.execute(sa.delete(self.table).where(self.rows, which))


def check_open(connection: sa.Connection, month: str) -> None:
    """Raise Conflict when the month is closed."""
    query = sa.select(closings.c.state).where(closings.c.month == month).with_for_update()
    if connection.execute(query).scalar() == ClosingState.CLOSED:
        raise Conflict(f"{month} is closed; its figures do not change any more")
