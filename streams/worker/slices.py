"""A fetch in slices of time: counting shares the loop with heartbeats, fetches and transactions.

A fetch of large arrays takes longer to count than a member of the group may be silent: it would be
put out, and whoever came next with the same fetch in its hands as well.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from streams.record import Record

SLICE_S = 0.05
"""An ordinary fetch of 2,000 records takes less, so it is one slice."""


class Slices:
    """Records, to be iterated again and again: each time a slice, from where the last one ended.

    `has_more` is False once a slice ended with the records, or was broken off.
    """

    def __init__(
        self, records: Iterable[Record], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.has_more = True
        self._records = iter(records)
        self._clock = clock

    def __iter__(self) -> Iterator[Record]:
        self.has_more = False
        until_s = self._clock() + SLICE_S
        for record in self._records:
            yield record
            if self._clock() >= until_s:
                self.has_more = True
                return
