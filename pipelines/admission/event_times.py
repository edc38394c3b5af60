"""Event times read quickly: each put together from parts that were read before, or many at once.

`schemas.event.parse_time` is the rule. Events come in about the order of their times, so that the
text up to the second is nearly always known already. Many of the usual form are read by Arrow.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.event import EARLIEST_MS, LATEST_MS, parse_time

SECOND_LENGTH = len("2026-10-01T12:30:00")
MOST_PARTS = 50_000
"""So many parts are kept of each kind, about six megabytes; then they are learned anew."""

_USUAL = len("2026-10-01T12:30:00.250Z")
_ALL_USUAL = pa.scalar({"min": _USUAL, "max": _USUAL}, pc.min_max(pa.array([0], pa.int32())).type)
_INSTANT = pa.timestamp("ms", "UTC")
_A_SECOND = "2026-01-01T00:00:00"
_TWO_DAYS_MS = 2 * 86_400_000
"""More than two times can be apart that are written alike but for their zones."""


class EventTimes:
    """Reads the text of a JSON string as event time in epoch milliseconds."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}
        self._rests: dict[str, int] = {}
        self._a_second_ms = _read(_A_SECOND + "Z")

    def read(self, text: str) -> int:
        """Event time in epoch milliseconds. Raises ValueError as `parse_time` does."""
        try:
            return self._seconds[text[:SECOND_LENGTH]] + self._rests[text[SECOND_LENGTH:]]
        except KeyError:
            return self._learned(text)

    def read_all(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The times of many texts, as `read` reads each. Raises ValueError as it does."""
        usual = _usual_times(texts)
        if usual is not None:
            return usual
        return np.fromiter(map(self.read, texts), np.int64, len(texts))

    def _learned(self, text: str) -> int:
        time_ms = _read(text)
        rest = text[SECOND_LENGTH:]
        is_finer = rest[1:5].isdigit()  # than a millisecond: such a rest hardly comes again
        is_near_a_limit = not EARLIEST_MS + _TWO_DAYS_MS <= time_ms < LATEST_MS - _TWO_DAYS_MS
        if not is_finer and not is_near_a_limit:
            # Any second goes with any rest (fraction and zone), as both were accepted.
            rest_ms = _read(_A_SECOND + rest) - self._a_second_ms
            _remember(self._rests, rest, rest_ms)
            _remember(self._seconds, text[:SECOND_LENGTH], time_ms - rest_ms)
        return time_ms


def _usual_times(texts: Sequence[str]) -> NDArray[np.int64] | None:
    """The times, if all are of milliseconds and in UTC, as most clients write them; else None.

    Of texts of that length which end so, Arrow reads what the rule does and nothing else.
    """
    written = pa.array(texts, pa.string())
    lengths = pc.min_max(pc.binary_length(written))
    if lengths != _ALL_USUAL or not pc.all(pc.ends_with(written, "Z")).as_py():
        return None
    try:
        times_ms: NDArray[np.int64] = written.cast(_INSTANT).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    are_fine = times_ms.min() >= EARLIEST_MS and times_ms.max() < LATEST_MS
    return times_ms if are_fine else None


def _read(text: str) -> int:
    return parse_time(msgspec.json.encode(text))  # a backslash in it is one


def _remember(parts: dict[str, int], text: str, part_ms: int) -> None:
    if len(parts) >= MOST_PARTS:
        parts.clear()
    parts[text] = part_ms
