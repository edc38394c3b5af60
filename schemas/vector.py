"""A cut through the log: how far each partition of each epoch has been read.

An epoch is one life of the topic `usage.events` (a new topic id is a new epoch). Offsets are
exclusive: 5 means that the records 0 to 4 are in.
"""

from collections.abc import Iterator, Mapping

OFFSET_BITS = 48
"""Low bits of a position that hold the offset; the epoch lies above them."""


class Vector(Mapping[tuple[int, int], int]):
    """`{(epoch, partition): offset}`; a partition that is missing counts as 0. Immutable."""

    def __init__(self, offsets: Mapping[tuple[int, int], int] | None = None) -> None:
        self._offsets = {key: offset for key, offset in sorted((offsets or {}).items()) if offset}

    def __getitem__(self, key: tuple[int, int]) -> int:
        return self._offsets.get(key, 0)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)

    def __contains__(self, key: object) -> bool:
        return key in self._offsets

    def __repr__(self) -> str:
        return f"Vector({self._offsets})"

    def covers(self, other: "Vector") -> bool:
        """Has this cut read at least as far as the other, on every partition?"""
        return all(self[key] >= offset for key, offset in other.items())

    def behind(self, other: "Vector") -> dict[tuple[int, int], int]:
        """Records still to read to reach the other cut, for each partition that is behind it."""
        return {key: end - self[key] for key, end in other.items() if self[key] < end}

    def to_json(self) -> dict[str, int]:
        """`{"epoch/partition": offset}`, sorted, as stored with a closing."""
        return {f"{epoch}/{partition}": n for (epoch, partition), n in self._offsets.items()}

    @classmethod
    def from_json(cls, document: Mapping[str, int]) -> "Vector":
        """Read what `to_json` wrote."""
        keys = ((tuple(map(int, text.split("/"))), n) for text, n in document.items())
        return cls({(epoch, partition): n for (epoch, partition), n in keys})


def position(epoch: int, offset: int) -> int:
    """Epoch and offset as one number that grows with the log of a partition."""
    return epoch << OFFSET_BITS | offset
