"""When a producer sent an event, by its own clock: the header `sent-at` of `usage.events`.

Owns what counts as a time there. Producers of any kind write it, so it may be anything.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from schemas.event import EARLIEST_MS, LATEST_MS
from schemas.topics import SENT_AT_HEADER

_TOO_LONG = 16
"""A number of so many digits is no time, and one of thousands is more than `int` reads."""

Headers = Sequence[tuple[str, bytes | None]]


def sent_ms_of(headers: Iterable[tuple[str, bytes | None]]) -> int | None:
    """The send time in epoch milliseconds; None when it is missing or no time."""
    return _instant_ms(_text(headers))


def sent_ms_of_all(headers: Iterable[Headers]) -> list[int | None]:
    """The send times of many records, as `sent_ms_of` reads each: in half the time."""
    texts = [h[0][1] if h and h[0][0] == SENT_AT_HEADER else _text(h) for h in headers]
    return [*(_usual_instants(texts) or map(_instant_ms, texts))]


def _text(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    for name, text in headers:
        if name == SENT_AT_HEADER:
            return text
    return None


def _usual_instants(texts: Sequence[bytes | None]) -> list[int] | None:
    """The times, if all are given and are some; else None."""
    if not texts or not all(texts):
        return None
    given = cast("Sequence[bytes]", texts)
    if not b"".join(given).isdigit() or max(map(len, given)) >= _TOO_LONG:
        return None
    instants = list(map(int, given))
    return instants if min(instants) >= EARLIEST_MS and max(instants) < LATEST_MS else None


def _instant_ms(text: bytes | None) -> int | None:
    if text is None or not text.isdigit() or len(text) >= _TOO_LONG:
        return None
    sent_ms = int(text)
    return sent_ms if EARLIEST_MS <= sent_ms < LATEST_MS else None
