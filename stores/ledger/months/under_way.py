"""One run of a month at a time, whoever started it: a lock that ends with its process.

On SQLite a file beside the ledger is locked, on Postgres the session; the system lets go of either
when its holder is killed. The holder says who it is, for whoever comes second.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from schemas.errors import Conflict
from schemas.period import format_instant
from stores.ledger.part import LedgerPart

Tell = Callable[[str], None]
"""Says who holds the month, from now on."""

_LOCK_CLASS = 0x636F756E
"""The first half of our advisory locks' keys on Postgres; the month is the second."""
_HOLDER = sa.text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND classid = :class AND objid = :month AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_NAME = sa.text("SELECT set_config('application_name', :name, false)")
"""At most 63 bytes: an instant in seconds, and `run` with its id."""


class UnderWay(LedgerPart):
    """Who is at work on a month."""

    @contextmanager
    def alone(self, month: str, *, wait: bool = False) -> Iterator[Tell]:
        """Be the only one at work on a month; the block is told how to say who that is.

        Raises:
            Conflict: another is; with `wait` this comes after it instead.
        """
        is_file = self._engine.dialect.name == "sqlite"
        held = self._file(month, wait) if is_file else self._session(month, wait)
        with held as write:
            since = format_instant(self._clock() // 1000 * 1000)
            write(f"{since} process {os.getpid()}")
            yield lambda who: write(f"{since} {who}")

    @contextmanager
    def _file(self, month: str, wait: bool) -> Iterator[Tell]:
        ledger = Path(str(self._engine.url.database))
        with ledger.with_name(f"{ledger.name}.{month}.lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                handle.seek(0)
                raise _conflict(month, handle.read()) from None

            def write(text: str) -> None:
                handle.truncate(0)
                handle.write(text)
                handle.flush()

            yield write

    @contextmanager
    def _session(self, month: str, wait: bool) -> Iterator[Tell]:
        key = {"class": _LOCK_CLASS, "month": int(month.replace("-", ""))}
        with self._own_session() as session:
            lock = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
            is_held = session.execute(sa.text(f"SELECT {lock}(:class, :month)"), key).scalar()
            if is_held is False:
                raise _conflict(month, session.execute(_HOLDER, key).scalar() or "")

            def write(text: str) -> None:
                session.execute(_NAME, {"name": text})

            yield write

    @contextmanager
    def _own_session(self) -> Iterator[sa.Connection]:
        """A session that ends with the block, and its lock and name with it."""
        with self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                yield connection
            finally:
                connection.invalidate()


def _conflict(month: str, holder: str) -> Conflict:
    since, _, who = holder.partition(" ")
    told = f" since {since} in {who}" if who else ""
    return Conflict(f"{month} is under way{told}; wait until that has ended")
