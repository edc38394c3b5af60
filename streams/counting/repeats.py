"""Which events of a partition were delivered before: two buckets of a fixed number of offsets.

What is known at an offset depends on the log before it alone, wherever reading began, as long as
it began at `warm_from`.
"""

from schemas.event import Event


class Repeats:
    """Knows an event for one to two windows after its last delivery.

    Bucket n holds the deliveries at offsets [n × window, (n + 1) × window); this one and the one
    before are known. `until` is the first offset beyond the present bucket. An event known takes
    about 80 bytes.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._ids: set[int] = set()
        self._older: set[int] = set()
        self.until = window

    def warm_from(self, offset: int) -> int:
        """Where to read from so that all is known that matters at `offset`; begin there."""
        first = max(0, (offset // self._window - 1) * self._window)
        self._ids, self._older = set(), set()
        self.until = first + self._window
        return first

    def turn_to(self, offset: int) -> None:
        """Go on to the bucket of an offset that lies beyond the present one."""
        is_next = offset < self.until + self._window
        self._older = self._ids if is_next else set()
        self._ids = set()
        self.until = (offset // self._window + 1) * self._window

    def has_seen(self, event: Event) -> bool:
        """Was the event delivered before? From now on it was.

        A repeat is remembered, too: else what is known would depend on where reading began.
        """
        # 64 bits, seeded a process: a false repeat once in 1e13 events with a million known
        identity = hash((event.tenant, event.source, event.id))
        is_known = identity in self._ids or identity in self._older
        self._ids.add(identity)
        return is_known
