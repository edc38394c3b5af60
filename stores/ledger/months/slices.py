"""A month's slices: rows that are replaced as a whole, whatever is killed in between.

Each replacement writes its rows under a new generation and then marks that generation as the
live one. Readers see live rows only; rows of any other generation are rubbish of a killed run
and go with the next one. Of two runs at once the later one wins and the earlier one is told.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from schemas.closing import ClosingState
from schemas.errors import Conflict, NotFound
from stores.ledger.part import upsert
from stores.ledger.tables.closing_tables import closing_slices, closings


@dataclass(frozen=True, slots=True)
class Slice:
    """The mark of a month's slice: which of its generations counts."""

    month: str
    name: str
    until_closed: bool = False
    """Is it Conflict to replace the slice once its month is closed?"""

    @property
    def live_generation(self) -> sa.ScalarSelect[int]:
        """The generation whose rows count, for a WHERE clause."""
        return sa.select(closing_slices.c.live).where(self._mark).scalar_subquery()

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
        """Raise Conflict if the slice was begun anew, sent back or closed meanwhile."""
        self._check_closing(connection)
        query = sa.select(closing_slices.c.started).where(self._mark).with_for_update()
        if connection.execute(query).scalar() != generation:
            raise Conflict(
                f"the {self.name} of {self.month} were begun anew meanwhile, by another run or "
                "because a plan has changed: let it finish, then close the month again"
            )

    def complete(self, connection: sa.Connection, generation: int, row_count: int) -> None:
        """Mark a generation as the slice."""
        self.check_owner(connection, generation)
        marked = sa.update(closing_slices).where(self._mark)
        connection.execute(marked.values(live=generation, row_count=row_count))

    def row_count(self, connection: sa.Connection) -> int:
        """How many rows count."""
        query = sa.select(closing_slices.c.row_count).where(self._mark)
        return connection.execute(query).scalar() or 0

    def is_there(self, connection: sa.Connection) -> bool:
        """Was it ever completed?"""
        return connection.execute(sa.select(self.live_generation)).scalar() is not None

    def is_whole(self, connection: sa.Connection) -> bool:
        """Is the slice there, and no later one begun and cut off?"""
        return self.is_there(connection) and not self.is_sent_back(connection)

    def is_sent_back(self, connection: sa.Connection) -> bool:
        """Was another one begun, or asked for by `send_back`, that is not there yet?"""
        missing = closing_slices.c.live.is_distinct_from(closing_slices.c.started)
        return bool(connection.execute(sa.select(missing).where(self._mark)).scalar())

    def _check_closing(self, connection: sa.Connection) -> None:
        if self.until_closed:
            check_open(connection, self.month)


def lock_closing(connection: sa.Connection, month: str) -> ClosingState:
    """The state of a month's closing, which stays until the transaction ends. Raises NotFound."""
    query = sa.select(closings.c.state).where(closings.c.month == month).with_for_update()
    state = connection.execute(query).scalar()
    if state is None:
        raise NotFound(f"{month} was never closed; run `countinghouse close {month}`")
    return ClosingState(state)


def check_open(connection: sa.Connection, month: str) -> None:
    """Raise Conflict when the month is closed."""
    query = sa.select(closings.c.state).where(closings.c.month == month).with_for_update()
    if connection.execute(query).scalar() == ClosingState.CLOSED:
        raise Conflict(f"{month} is closed; its figures do not change any more")
