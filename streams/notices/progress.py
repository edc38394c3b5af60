"""A partition's facts in a receiver's hands: which are open, and what may be committed.

Owns no consumer and sends nothing.
"""

from dataclasses import dataclass

from streams.notices.facts import Fact


class Progress:
    """A partition's facts in our hands, and up to which offset all before are settled.

    Facts below `handed_to` were handed out; after a failure one goes on there.
    """

    def __init__(self, start: int) -> None:
        self.is_held = True
        self.committed = self.handed_to = start
        self._read_to = start
        self._open: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """Facts that are not settled."""
        return len(self._open)

    @property
    def settled_to(self) -> int:
        """The exclusive offset that may be committed."""
        return next(iter(self._open), self._read_to)

    @property
    def oldest_ms(self) -> int | None:
        """When the first fact that is not settled was announced."""
        return next(iter(self._open.values()), None)

    def open(self, offset: int, announced_ms: int) -> None:
        """A fact is in our hands; offsets come in rising order."""
        self._open[offset] = announced_ms
        self._read_to = offset + 1

    def settle(self, offset: int) -> None:
        """Nothing more is to be done about it."""
        self._open.pop(offset, None)

    def read_to(self, offset: int) -> None:
        """There is no other fact below this offset (transaction markers are no records)."""
        self._read_to = max(self._read_to, offset)


@dataclass(slots=True, eq=False)
class Notice:
    """A fact with its place in the log and the attempts that failed."""

    fact: Fact
    offset: int
    progress: Progress
    failed: int = 0
