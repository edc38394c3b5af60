"""Which usage is counted: one pure judgement of a record, shared by counters and landing.

Each element of an array is judged by itself. Bad input is a value, never an exception, so that
both readers of the log reject exactly the same.
"""

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from operator import itemgetter
from typing import Any

import msgspec

from schemas.catalog import Catalog
from schemas.event import CloudEvent, Event, Reason, Rejection, parse_time
from schemas.meter import Meter
from schemas.quantity import MAX_QUANTITY, MICRO, to_micro

MAX_DEPTH = 64
"""How deep an element may nest. Decoding recurses, and how far it can depends on its caller: a
bound of our own keeps every reader's judgement the same."""

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)

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
        self._readers = _readers(catalog)
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
        if _is_too_deep(value, MAX_DEPTH + 1):
            return [Rejection(0, "not_an_event", f"nested deeper than {MAX_DEPTH}", value)]
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
        if _is_too_deep(element, MAX_DEPTH):
            raise _Rejected("not_an_event", f"nested deeper than {MAX_DEPTH}")
        sent, properties = _decoded(element)
        if key != sent.subject.encode():
            raise _key_problem(key, sent.subject)
        time_ms = self._time(sent.time, arrived_ms)
        reader = self._readers.get(sent.type)
        values = () if reader is None else _values(reader, properties)
        return Event(
            tenant=sent.subject,
            source=sent.source,
            id=sent.id,
            type=sent.type,
            time_ms=time_ms,
            item=item,
            data=bytes(sent.data),
            values=values,
            properties=properties,
        )

    def _time(self, json_text: msgspec.Raw, arrived_ms: int) -> int:
        try:
            time_ms = parse_time(json_text)
        except ValueError as problem:
            raise _Rejected("invalid_time", str(problem)) from None
        if self._max_age_ms is not None and time_ms < arrived_ms - self._max_age_ms:
            raise _Rejected("too_old", f"{arrived_ms - time_ms} ms before its arrival")
        if self._max_lead_ms is not None and time_ms > arrived_ms + self._max_lead_ms:
            raise _Rejected("in_future", f"{time_ms - arrived_ms} ms after its arrival")
        return time_ms


def _is_too_deep(text: bytes, limit: int) -> bool:
    """Does JSON text nest deeper than the limit? Brackets inside strings do not count."""
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    depth = 0
    for found in _BRACKETS.finditer(text):
        bracket = found[0]
        if bracket in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif bracket in b"]}":
            depth -= 1
    return False


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


def _values(reader: "_Reader", properties: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    try:
        return reader.values(properties)
    except ValueError as problem:
        raise _Rejected("invalid_value", str(problem)) from None


class _Reader:
    """What the meters of one event type make of its data; each property is read once."""

    def __init__(self, meters: list[tuple[int, Meter]]) -> None:
        self._names = tuple(dict.fromkeys(name for _, meter in meters for name in meter.value))
        self._recipes = tuple((index, self._adder(meter)) for index, meter in meters)

    def _adder(self, meter: Meter) -> Callable[[list[int]], int]:
        parts = [self._names.index(name) for name in meter.value]
        if len(parts) <= 1:
            return itemgetter(parts[0]) if parts else lambda _: MICRO
        chosen = itemgetter(*parts)
        return lambda micros: sum(chosen(micros))

    def values(self, properties: dict[str, Any]) -> tuple[tuple[int, int], ...]:
        """A quantity in 1e-6 units for each meter, by its index in the catalogue."""
        micros = [
            value * MICRO
            # Whole numbers are nearly all there is: they skip a call each.
            if type(value := properties.get(name)) is int and -MAX_QUANTITY <= value <= MAX_QUANTITY
            else _property(properties, name)
            for name in self._names
        ]
        return tuple([(index, add(micros)) for index, add in self._recipes])


def _property(properties: dict[str, Any], name: str) -> int:
    try:
        return to_micro(properties[name])
    except KeyError:
        raise ValueError(f"data.{name} is missing") from None
    except ValueError as problem:
        raise ValueError(f"data.{name}: {problem}") from None


def _readers(catalog: Catalog) -> dict[str, _Reader]:
    by_type: dict[str, list[tuple[int, Meter]]] = {}
    for index, meter in enumerate(catalog.meter_list):
        by_type.setdefault(meter.event_type, []).append((index, meter))
    return {event_type: _Reader(meters) for event_type, meters in by_type.items()}
