"""The sandbox's SQLite file: its tables, its transactions, and the webhooks that it owes.

Every transaction is committed before a method returns, so a kill -9 loses nothing that was
answered.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    reference    TEXT PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    amount_minor INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    card         TEXT NOT NULL,
    state        TEXT NOT NULL,
    failure      TEXT,
    decide_ms    INTEGER
);
CREATE INDEX IF NOT EXISTS undecided ON payments (decide_ms) WHERE decide_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS reversals (
    ordinal      INTEGER PRIMARY KEY,
    payment      TEXT NOT NULL REFERENCES payments (reference),
    reference    TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS reversals_of_payment ON reversals (payment);
CREATE TABLE IF NOT EXISTS deliveries (
    ordinal      INTEGER PRIMARY KEY,
    reference    TEXT NOT NULL,
    kind         TEXT NOT NULL,
    copies       INTEGER NOT NULL,
    tries        INTEGER NOT NULL DEFAULT 0,
    next_ms      INTEGER
);
CREATE INDEX IF NOT EXISTS undelivered ON deliveries (next_ms) WHERE next_ms IS NOT NULL;
"""
TWICE_EVERY = 10
"""Every tenth webhook is sent twice, as real providers do now and then."""


class SandboxDatabase:
    """The file; safe to use from several threads of one process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _owe(self, payment: str, kind: str, now_ms: int) -> None:
        """A webhook that points to a payment is to be sent; within a transaction."""
        inserted = self._db.execute(
            "INSERT INTO deliveries (reference, kind, copies, next_ms) VALUES (?, ?, 1, ?)",
            (payment, kind, now_ms),
        )
        if (inserted.lastrowid or 0) % TWICE_EVERY == 0:
            self._db.execute(
                "UPDATE deliveries SET copies = 2 WHERE ordinal = ?", (inserted.lastrowid,)
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
