"""Usage events that did not reach Kafka: kept until they are sent again.

Owns the file that they lie in, and which of its events were handed over already.
"""

import logging
import threading
from pathlib import Path

import msgspec

_log = logging.getLogger(__name__)


class Undelivered(msgspec.Struct, frozen=True):
    """An event that did not reach Kafka: its JSON, and when it was recorded (epoch ms)."""

    tenant: str
    sent_ms: int
    event: msgspec.Raw


class Spool:
    """Undelivered events, bounded: in a file of JSON lines, or in memory without a path."""

    def __init__(self, path: Path | None, max_events: int) -> None:
        self._path = path
        self._max_events = max_events
        self._memory: list[Undelivered] = []
        self._kept = 0
        self._has_taken = False
        self._lock = threading.Lock()

    def keep(self, event: Undelivered) -> bool:
        """Keep an event; False when there is no room, or the disk refuses."""
        with self._lock:
            if self._kept >= self._max_events or not self._store(event):
                return False
            self._kept += 1
            return True

    def take(self) -> list[Undelivered]:
        """Take everything out that was not delivered, as far as is known.

        A file's events stay in `<path>.resent` until `close`. What lies there already is an earlier
        process's, or was taken before: then it was delivered, or is kept again.
        """
        with self._lock:
            self._kept = 0
            if self._path is None:
                events, self._memory = self._memory, []
                return events
            return self._take_files(self._path)

    def close(self) -> None:
        """Forget what was resent: it was delivered, or it is in the spool again."""
        if self._path is not None:
            _resent(self._path).unlink(missing_ok=True)

    def _store(self, event: Undelivered) -> bool:
        if self._path is None:
            self._memory.append(event)
            return True
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(event) + b"\n")
        except OSError as problem:
            _log.warning("the spool %s cannot be written: %s", self._path, problem)
            return False
        return True

    def _take_files(self, path: Path) -> list[Undelivered]:
        resent, kept = _lines(_resent(path)), _lines(path)
        if fresh := [line for line in kept if line not in resent]:
            with _resent(path).open("ab") as file:
                file.write(b"\n".join([b"", *fresh, b""]))  # the last line there may be cut short
        path.unlink(missing_ok=True)
        taken = kept if self._has_taken else resent | kept
        self._has_taken = True
        return [event for line in taken if (event := _spooled(line)) is not None]


def _resent(path: Path) -> Path:
    return path.with_name(path.name + ".resent")


def _lines(path: Path) -> dict[bytes, None]:
    """A file's lines in their order, each once."""
    return dict.fromkeys(path.read_bytes().splitlines() if path.exists() else ())


def _spooled(line: bytes) -> Undelivered | None:
    """An event of a spool file; a line that a crash cut short is nothing."""
    try:
        return msgspec.json.decode(line, type=Undelivered)
    except msgspec.DecodeError:
        return None
