"""Which usage is counted: one pure judgement of a record, shared by counters and landing.

Each element of an array is judged by itself. Bad input is a value, never an exception, so that
both readers of the log reject exactly the same.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from schemas.catalog import Catalog
from schemas.event import CloudEvent, Event, Reason, Rejection, parse_time
from schemas.meter import Meter
from schemas.quantity import MICRO, to_micro

Quantify = Callable[[dict[str, Any]], int]

_decode_event = msgspec.json.Decoder(CloudEvent).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_data = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


class _Rejected(Exception):
    """An element's reason and detail, on their way to becoming a `Rejection`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


def event_key(source: str, event_id: str) -> bytes:
    """The identity of an event within its tenant: 16 bytes that depend on source and id alone."""
    origin = source.encode()
    text = b"%d:%b%b" % (len(origin), origin, event_id.encode())
    return hashlib.blake2b(text, digest_size=16).digest()


class Admission:
    """Judges records by one price list version and the limits of event time and size.

    `max_age_ms` and `max_lead_ms` bound event time around the record's arrival; None is no bound.
    """

    def __init__(
        self, catalog: Catalog, max_age_ms: int | None, max_lead_ms: int | None, max_bytes: int
    ) -> None:
        self._meters = _meters_by_type(catalog)
        self._max_age_ms = max_age_ms
        self._max_lead_ms = max_lead_ms
        self._max_bytes = max_bytes

    def admit(
        self, key: bytes | None, value: bytes | None, arrived_ms: int
    ) -> list[Event | Rejection]:
        """Judge every element of a record; `arrived_ms` is the broker's time of arrival."""
        if not value:
            return [Rejection(0, "empty", "the record has no value", b"")]
        if value.lstrip()[:1] != b"[":
            return [self._judge(0, key, value, arrived_ms)]
        try:
            elements = _decode_array(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            return [Rejection(0, "not_json", str(problem), value)]
        if not elements:
            return [Rejection(0, "empty", "the array has no events", value)]
        return [self._judge(i, key, bytes(e), arrived_ms) for i, e in enumerate(elements)]

    def _judge(
        self, item: int, key: bytes | None, element: bytes, arrived_ms: int
    ) -> Event | Rejection:
        try:
            return self._event(item, key, element, arrived_ms)
        except _Rejected as rejected:
            return Rejection(item, rejected.reason, str(rejected), element)

    def _event(self, item: int, key: bytes | None, element: bytes, arrived_ms: int) -> Event:
        if len(element) > self._max_bytes:
            raise _Rejected("too_large", f"{len(element)} bytes; at most {self._max_bytes}")
        sent, properties = _decoded(element)
        if key != sent.subject.encode():
            raise _key_problem(key, sent.subject)
        time_ms = self._time(sent.time, arrived_ms)
        values = _values(self._meters.get(sent.type, ()), properties)
        data = bytes(sent.data)
        return Event(
            sent.subject, sent.source, sent.id, sent.type, time_ms, item, data, values, properties
        )

    def _time(self, text: str, arrived_ms: int) -> int:
        try:
            time_ms = parse_time(text)
        except ValueError as problem:
            raise _Rejected("invalid_time", str(problem)) from None
        if self._max_age_ms is not None and time_ms < arrived_ms - self._max_age_ms:
            raise _Rejected("too_old", f"time {text} is more than the limit before its arrival")
        if self._max_lead_ms is not None and time_ms > arrived_ms + self._max_lead_ms:
            raise _Rejected("in_future", f"time {text} is more than the limit after its arrival")
        return time_ms


def _decoded(element: bytes) -> tuple[CloudEvent, dict[str, Any]]:
    try:
        sent = _decode_event(element)
        return sent, _decode_data(sent.data)
    except msgspec.ValidationError as problem:
        raise _Rejected("not_an_event", str(problem)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _Rejected("not_json", str(problem)) from None


def _key_problem(key: bytes | None, subject: str) -> _Rejected:
    if key is None:
        return _Rejected("key_missing", f"the record needs the key {subject!r}, its subject")
    return _Rejected("key_mismatch", f"the key {key!r} is not the subject {subject!r}")


def _values(
    meters: tuple[tuple[int, Quantify], ...], properties: dict[str, Any]
) -> tuple[tuple[int, int], ...]:
    try:
        return tuple([(index, quantify(properties)) for index, quantify in meters])
    except ValueError as problem:
        raise _Rejected("invalid_value", str(problem)) from None


def _meters_by_type(catalog: Catalog) -> dict[str, tuple[tuple[int, Quantify], ...]]:
    by_type: dict[str, tuple[tuple[int, Quantify], ...]] = {}
    for index, meter in enumerate(catalog.meter_list):
        known = by_type.get(meter.event_type, ())
        by_type[meter.event_type] = (*known, (index, _quantify(meter)))
    return by_type


def _quantify(meter: Meter) -> Quantify:
    """How a meter reads an event's data, in 1e-6 units."""
    if meter.aggregation == "count":
        return lambda _: MICRO
    names = meter.value
    if len(names) == 1:
        return lambda properties: _property(properties, names[0])
    return lambda properties: sum([_property(properties, name) for name in names])


def _property(properties: dict[str, Any], name: str) -> int:
    try:
        return to_micro(properties[name])
    except KeyError:
        raise ValueError(f"data.{name} is missing") from None
    except ValueError as problem:
        raise ValueError(f"data.{name}: {problem}") from None
