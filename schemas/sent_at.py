"""When a producer sent an event, by its own clock: the header `sent-at` of `usage.events`.

Owns what counts as a time there. Producers of any kind write it, so it may be anything.
"""

from collections.abc import Iterable, Sequence

from schemas.event import EARLIEST_MS, LATEST_MS
from schemas.topics import SENT_AT_HEADER

_TOO_LONG = 16
"""A number of so many digits is no time, and one of thousands is more than `int` reads."""

Headers = Sequence[tuple[str, bytes | None]]


def sent_ms_of(headers: Iterable[tuple[str, bytes | None]]) -> int | None:
    """The send time in epoch milliseconds; None when it is missing or no time."""
    return instant_ms(text_of(headers))


def text_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """What stands in the header; None where there is none."""
    for name, text in headers:
        if name == SENT_AT_HEADER:
            return text
    return None


def instant_ms(text: bytes | None) -> int | None:
    """The time in a header; None where it is none."""
    if text is None or not text.isdigit() or len(text) >= _TOO_LONG:
        return None
    sent_ms = int(text)
    return sent_ms if EARLIEST_MS <= sent_ms < LATEST_MS else None
