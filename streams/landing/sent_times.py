"""When producers sent the records of `usage.events`, read of many at once.

`schemas.sent_at` says what counts as a time; this owns only the speed, and how headers are asked
of the client.
"""

from collections.abc import Sequence
from operator import methodcaller
from typing import Any, Protocol, cast

import numpy as np

from schemas.event import EARLIEST_MS, LATEST_MS
from schemas.sent_at import Headers, instant_ms, text_of
from schemas.topics import SENT_AT_HEADER

_DIGITS = len("1790000000000")
_POWERS = 10 ** np.arange(_DIGITS - 1, -1, -1)

# Not `record.headers()`: Python calls that without a look at what it returns once it has been
# called some times, and where a name is not UTF-8 the client returns half of a list.
_headers = methodcaller("headers")


class Sent(Protocol):
    """What is asked of a Kafka message here."""

    def headers(self) -> Any: ...
    def set_headers(self, value: list[tuple[str, bytes | None]]) -> None: ...


def sent_times(records: Sequence[Sent]) -> list[int | None]:
    """The send time of each in epoch milliseconds; None where it is missing or no time."""
    texts = [
        headers[0][1] if headers and headers[0][0] == SENT_AT_HEADER else text_of(headers)
        for headers in _headers_of_all(records)
    ]
    return _usual_times(texts) or list(map(instant_ms, texts))


def _usual_times(texts: Sequence[bytes | None]) -> list[int | None] | None:
    """The times, if all are given, of thirteen digits and some; else None."""
    if not texts or not all(texts):
        return None
    given = cast("Sequence[bytes]", texts)
    written = b"".join(given)
    if set(map(len, given)) != {_DIGITS} or not written.isdigit():
        return None
    digits = np.frombuffer(written, np.uint8).reshape(-1, _DIGITS) - ord("0")
    times_ms = digits @ _POWERS
    are_fine = times_ms.min() >= EARLIEST_MS and times_ms.max() < LATEST_MS
    return times_ms.tolist() if are_fine else None


def _headers_of_all(records: Sequence[Sent]) -> list[Headers]:
    found: list[Headers] = []
    while len(found) < len(records):
        try:
            for headers in map(_headers, records[len(found) :]):
                found.append(headers or ())
        except SystemError:  # a name is not UTF-8; the client keeps what it has half made
            records[len(found)].set_headers([])
            found.append(())
    return found
