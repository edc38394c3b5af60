"""Usage events: CloudEvents 1.0 as users send them, and the value that admission makes of one.

`UsageEvent` is the public schema, `CloudEvent` the same contract for the hot path; a test holds
the two equal. What a rejected element is, is here as well: bad input is a value.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, final

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.period import EPOCH

MAX_NAME = 200
"""Longest id, source, type or subject, in characters."""

EARLIEST_MS = 946_684_800_000
LATEST_MS = 7_258_118_400_000
"""Event times lie in [2000-01-01, 2200-01-01): what every store of ours can hold."""

_EXTRA_DIGITS = re.compile(rb"(\.\d{6})\d+")
_CANONICAL_LENGTH = len(b'"2026-10-01T12:30:00.250000Z"')
_MILLISECOND = timedelta(milliseconds=1)

_decode_moment = msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)]).decode


def parse_time(json_text: bytes | msgspec.Raw) -> int:
    """Event time in epoch milliseconds of an RFC 3339 time in JSON (with its quotes).

    Finer digits are cut, never rounded up: an event stays in its month.

    Raises:
        ValueError: not RFC 3339, without a zone, or outside the years 2000 to 2199.
    """
    if len(json_text) > _CANONICAL_LENGTH:
        json_text = _EXTRA_DIGITS.sub(rb"\1", bytes(json_text))
    try:
        instant_ms: int = (_decode_moment(json_text) - EPOCH) // _MILLISECOND
    except (msgspec.DecodeError, UnicodeDecodeError):
        wrong = bytes(json_text).decode(errors="replace")
        example = "2026-10-01T12:30:00.250Z"
        raise ValueError(f"time {wrong} is not RFC 3339 with a zone, such as {example}") from None
    if not EARLIEST_MS <= instant_ms < LATEST_MS:
        raise ValueError(f"time {bytes(json_text).decode()} is not in the years 2000 to 2199")
    return instant_ms


Reason = Literal[
    "empty",
    "not_json",
    "not_an_event",
    "too_large",
    "key_missing",
    "key_mismatch",
    "wrong_partition",
    "invalid_time",
    "too_old",
    "in_future",
    "invalid_value",
    "not_storable",
]
"""Why an element was rejected; the detail beside it says what to change.

`not_storable` is landing's alone, of a whole record that the warehouse refuses again and again.
"""


def _checked_time(text: str) -> str:
    parse_time(msgspec.json.encode(text))
    return text


Text = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class UsageEvent(BaseModel):
    """One immutable measured fact, as a CloudEvent 1.0 in JSON.

    `subject` is the tenant. `source` and `id` together identify the event for ever: a resend is
    ignored. Extension attributes are allowed and not read.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Text
    time: Annotated[str, AfterValidator(_checked_time)]
    data: dict[str, Any]


_HotText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class CloudEvent(msgspec.Struct, gc=False, frozen=True):
    """`UsageEvent` for the hot path: `time` and `data` stay JSON until they are asked for."""

    specversion: Literal["1.0"]
    id: _HotText
    source: _HotText
    type: _HotText
    subject: _HotText
    time: msgspec.Raw
    data: msgspec.Raw


class UsualEvent(msgspec.Struct, gc=False, frozen=True):
    """`CloudEvent` with its time as text, which all but a malformed one has."""

    specversion: Literal["1.0"]
    id: _HotText
    source: _HotText
    type: _HotText
    subject: _HotText
    time: str
    data: msgspec.Raw


@final
class Event(msgspec.Struct, gc=False, frozen=True):
    """An admitted event: who, what, when, and what each meter makes of it.

    `time_ms` is event time; `item` the index in the message's array; `data` its JSON text. Meters
    are named by their index in the catalogue: `members` has the value that a `unique_count` meter
    tells apart, `values` a quantity in 1e-6 units for every other meter, `dimensions` the label of
    a meter's pricing key where it is not empty. A meter whose filter leaves the event out has none.
    """

    tenant: str
    source: str
    id: str
    type: str
    time_ms: int
    item: int
    data: msgspec.Raw
    values: tuple[tuple[int, int], ...]
    model: str = ""
    members: tuple[tuple[int, str], ...] = ()
    dimensions: tuple[tuple[int, str], ...] = ()


@final
class Rejection(msgspec.Struct, frozen=True):
    """An element that is not counted: its bytes, why, and what to change."""

    item: int
    reason: Reason
    detail: str
    element: bytes
