"""Which usage is counted: one pure judgement of a record, shared by counters and landing.

Each element of an array is judged by itself. Bad input is a value, never an exception, so that
both readers of the log reject exactly the same.
"""

from codecs import getincrementaldecoder
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from pipelines.admission.event_columns import EventColumns
from pipelines.admission.json_depth import MAX_DEPTH, is_too_deep, without_deep_elements
from pipelines.admission.meter_reading import (
    DataReader,
    Properties,
    data_readers,
    properties_of,
)
from pipelines.admission.quick_reading import Reading
from pipelines.admission.usual_records import UNUSUAL, UsualRecords
from schemas.catalog import Catalog
from schemas.event import CloudEvent, Event, Reason, Rejection, parse_time
from schemas.partitions import IsAtHome, at_home, partition_of

_decode_event = msgspec.json.Decoder(CloudEvent).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode

_UNMETERED = DataReader([])
_FOREVER_MS = 2**53

MANY_ELEMENTS = 1_000
LEAST_BYTES = 64
"""An array of more elements than these, each shorter than any event can be, is rejected as a
whole: half a million rejections of one record would hold up its readers."""

_TOLD_OF_A_KEY = 100
"""So many bytes of a key are told of: it may be long, and is told of for each element."""


class _Rejected(Exception):
    """An element's reason and detail, on their way to becoming a `Rejection`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a record beside its value."""

    key: bytes | None
    arrived_ms: int
    partition: int


class Admission:
    """Judges records by one price list version and the limits of event time and size.

    `max_age_ms` and `max_lead_ms` bound event time around the record's arrival; None is no bound.
    Of so many `partitions` a record must lie on its tenant's own; None does not ask.
    """

    def __init__(
        self,
        catalog: Catalog,
        max_age_ms: int | None,
        max_lead_ms: int | None,
        max_bytes: int,
        partitions: int | None = None,
    ) -> None:
        self._readers = data_readers(catalog)
        self._max_age_ms = _FOREVER_MS if max_age_ms is None else max_age_ms
        self._max_lead_ms = _FOREVER_MS if max_lead_ms is None else max_lead_ms
        self._max_bytes = max_bytes
        self._partitions = partitions
        self._is_at_home: IsAtHome = at_home(partitions)
        self._usual = UsualRecords(
            self._readers, self._max_age_ms, self._max_lead_ms, max_bytes, self._is_at_home
        )

    def admit(
        self, key: bytes | None, value: bytes | None, arrived_ms: int, partition: int = 0
    ) -> Sequence[Event | Rejection]:
        """Judge every element of a record; `arrived_ms` is the broker's time of arrival."""
        if not value:
            return [Rejection(0, "empty", "the record has no value", b"")]
        try:
            return self._usual.events(key, value, arrived_ms, partition)
        except UNUSUAL:
            return self._closely(Place(key, arrived_ms, partition), value)

    def admit_all(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        arrived_ms: Sequence[int],
        partitions: Sequence[int],
    ) -> tuple[EventColumns, list[int]] | None:
        """What `admit` makes of each record, and of how many events each is, in half the time.

        None unless all are of the usual form; then each is to be judged by `admit`.
        """
        if not all(values):
            return None
        try:
            return self._usual.columns(
                keys, cast("Sequence[bytes]", values), arrived_ms, partitions
            )
        except UNUSUAL:
            return None

    def _closely(self, place: Place, value: bytes) -> Sequence[Event | Rejection]:
        """The rule: each element by itself, and what is wrong with it."""
        if value.lstrip()[:1] != b"[":
            return [self._judge(0, place, value)]
        shallow: bytes = value
        deep: dict[int, bytes] = {}
        if is_too_deep(value, MAX_DEPTH + 1):
            shallow, deep = without_deep_elements(value, MAX_DEPTH)
        if is_too_deep(shallow, MAX_DEPTH + 1):  # it does not end, so nothing can be taken out
            return [Rejection(0, "not_an_event", f"nested deeper than {MAX_DEPTH}", value)]
        try:
            elements = _decode_array(shallow)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            return [Rejection(0, "not_json", str(problem), value)]
        if not elements:
            return [Rejection(0, "empty", "the array has no events", value)]
        if len(elements) > MANY_ELEMENTS and len(elements) * LEAST_BYTES > len(value):
            told = f"{len(elements)} elements in {len(value)} bytes: no event is as short"
            return [Rejection(0, "not_an_event", told, value)]
        whole = [deep.get(item, bytes(element)) for item, element in enumerate(elements)]
        return [self._judge(item, place, element) for item, element in enumerate(whole)]

    def _judge(self, item: int, place: Place, element: bytes) -> Event | Rejection:
        try:
            return self._event(item, place, element)
        except _Rejected as rejected:
            return Rejection(item, rejected.reason, str(rejected), element)

    def _event(self, item: int, place: Place, element: bytes) -> Event:
        if len(element) > self._max_bytes:
            raise _Rejected("too_large", f"{len(element)} bytes; at most {self._max_bytes}")
        if is_too_deep(element, MAX_DEPTH):
            raise _Rejected("not_an_event", f"nested deeper than {MAX_DEPTH}")
        sent, properties = _decoded(element)
        self._check_place(place, sent.subject)
        time_ms = self._time(sent.time, place.arrived_ms)
        reader = self._readers.get(sent.type, _UNMETERED)
        values, members, dimensions, model = _read(reader, properties)
        return Event(
            tenant=sent.subject,
            source=sent.source,
            id=sent.id,
            type=sent.type,
            time_ms=time_ms,
            item=item,
            data=sent.data,
            values=values,
            model=model,
            members=members,
            dimensions=dimensions,
        )

    def _check_place(self, place: Place, subject: str) -> None:
        if place.key != subject.encode():
            raise _key_problem(place.key, subject)
        if self._partitions is not None and not self._is_at_home(place.key, place.partition):
            home = partition_of(place.key, self._partitions)
            raise _Rejected(
                "wrong_partition",
                f"{subject!r} belongs on partition {home} of {self._partitions}, not on "
                f"{place.partition}: send with Kafka's murmur2 (partitioner=murmur2_random)",
            )

    def _time(self, json_text: msgspec.Raw, arrived_ms: int) -> int:
        try:
            time_ms = parse_time(json_text)
        except ValueError as problem:
            raise _Rejected("invalid_time", str(problem)) from None
        if time_ms < arrived_ms - self._max_age_ms:
            raise _Rejected("too_old", f"{arrived_ms - time_ms} ms before its arrival")
        if time_ms > arrived_ms + self._max_lead_ms:
            raise _Rejected("in_future", f"{time_ms - arrived_ms} ms after its arrival")
        return time_ms


def _decoded(element: bytes) -> tuple[CloudEvent, Properties]:
    try:
        element.decode()
        sent = _decode_event(element)
        return sent, properties_of(sent.data)
    except msgspec.ValidationError as problem:
        raise _Rejected("not_an_event", str(problem)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise _Rejected("not_json", str(problem)) from None


def _key_problem(key: bytes | None, subject: str) -> _Rejected:
    if key is None:
        return _Rejected("key_missing", f"the record needs the key {subject!r}, its subject")
    return _Rejected("key_mismatch", f"the key {_told(key)} is not the subject {subject!r}")


def _told(key: bytes) -> str:
    """A key's beginning, as text where it is UTF-8; the cut may go through its last character."""
    begin, is_whole = key[:_TOLD_OF_A_KEY], len(key) <= _TOLD_OF_A_KEY
    try:
        text: object = getincrementaldecoder("utf-8")().decode(begin, final=is_whole)
    except UnicodeDecodeError:
        text = begin
    return f"{text!r}{'' if is_whole else '…'}"


def _read(reader: DataReader, properties: Properties) -> Reading:
    try:
        return reader.exact(properties)
    except ValueError as problem:
        raise _Rejected("invalid_value", str(problem)) from None
