"""Usage events: CloudEvents 1.0 as users send them, and the value that admission makes of one.

`UsageEvent` is the public schema, `CloudEvent` the same contract for the hot path; a test holds
the two equal. What a rejected element is, is here as well: bad input is a value.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_NAME = 200
"""Longest id, source, type or subject, in characters."""

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)

Reason = Literal[
    "empty",
    "not_json",
    "not_an_event",
    "too_large",
    "key_missing",
    "key_mismatch",
    "invalid_time",
    "too_old",
    "in_future",
    "invalid_value",
]
"""Why an element was rejected; the detail beside it says what to change."""


def _rfc3339(text: str) -> str:
    if not _RFC3339.fullmatch(text):
        raise ValueError("time must be RFC 3339 with a zone, such as 2026-10-01T12:30:00.250Z")
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
    time: Annotated[str, AfterValidator(_rfc3339)]
    data: dict[str, Any]


_HotText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class CloudEvent(msgspec.Struct, gc=False, frozen=True):
    """`UsageEvent` for the hot path: `data` stays text until a meter asks for it."""

    specversion: Literal["1.0"]
    id: _HotText
    source: _HotText
    type: _HotText
    subject: _HotText
    time: str
    data: msgspec.Raw


class Event(msgspec.Struct, gc=False, frozen=True):
    """An admitted event: who, what, when, and what each meter makes of it.

    `time_ms` is event time; `item` the index in the message's array; `values` pairs a meter's
    index in the catalogue with a quantity in 1e-6 units; `properties` is `data`, decoded, its
    numbers exact.
    """

    tenant: str
    source: str
    id: str
    type: str
    time_ms: int
    item: int
    data: bytes
    values: tuple[tuple[int, int], ...]
    properties: dict[str, Any]


class Rejection(msgspec.Struct, frozen=True):
    """An element that is not counted: its bytes, why, and what to change."""

    item: int
    reason: Reason
    detail: str
    element: bytes
