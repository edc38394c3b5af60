"""The quick judgement of records of the usual form, one by one or many at once.

It admits what `pipelines.admission.admission` admits and makes the same of it. It rejects nothing:
what is not of the usual form it leaves to the rule.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat

import msgspec
import numpy as np

from pipelines.admission.bulk_reading import Readings, in_turn
from pipelines.admission.event_columns import EventColumns
from pipelines.admission.event_times import EventTimes
from pipelines.admission.json_depth import MAX_DEPTH, is_too_deep
from pipelines.admission.meter_reading import DataReader
from schemas.event import Event, UsualEvent
from schemas.partitions import IsAtHome

_decode = msgspec.json.Decoder(UsualEvent).decode
_decode_array = msgspec.json.Decoder(list[UsualEvent]).decode
_cut_array = msgspec.json.Decoder(list[msgspec.Raw]).decode

_OBJECT, _LIST = ord("{"), ord("[")
_SHALLOW_BYTES = MAX_DEPTH * len('{"":}')
"""Objects alone that are so short do not nest too deep."""

_UNMETERED = DataReader([])


class Unusual(Exception):
    """A record is not of the form that is judged quickly."""


UNUSUAL = (Unusual, msgspec.DecodeError, ValueError, RecursionError)
"""What is raised for such a record."""


class UsualRecords:
    """Judges records; raises one of `UNUSUAL` for those that the rule must judge.

    `readers` are by event type. Event time must lie within the two spans around a record's arrival.
    """

    def __init__(
        self,
        readers: Mapping[str, DataReader],
        max_age_ms: int,
        max_lead_ms: int,
        max_bytes: int,
        is_at_home: IsAtHome,
    ) -> None:
        self._readers = readers
        self._times = EventTimes()
        self._max_age_ms = max_age_ms
        self._max_lead_ms = max_lead_ms
        self._max_bytes = max_bytes
        self._is_at_home = is_at_home

    def events(
        self, key: bytes | None, value: bytes, arrived_ms: int, partition: int
    ) -> list[Event]:
        """The events of a record."""
        if not value.isascii():
            value.decode()  # what is skipped must be UTF-8, too
        if value[0] == _OBJECT:
            if len(value) > self._max_bytes:
                raise Unusual
            events = [self._event(0, key, _element(value), arrived_ms)]
        else:
            sent = enumerate(_elements(value, self._max_bytes))
            events = [self._event(item, key, element, arrived_ms) for item, element in sent]
        if not self._is_at_home(key, partition):  # by now the key is a tenant's, and not long
            raise Unusual
        return events

    def _event(self, item: int, key: bytes | None, sent: UsualEvent, arrived_ms: int) -> Event:
        tenant, kind = sent.subject, sent.type
        time_ms = self._times.read(sent.time)
        if key != tenant.encode() or not (
            -self._max_age_ms <= time_ms - arrived_ms <= self._max_lead_ms
        ):
            raise Unusual
        values, members, dimensions, model = self._readers.get(kind, _UNMETERED).quick(sent.data)
        # Positions, as names take twice as long here.
        return Event(
            tenant,
            sent.source,
            sent.id,
            kind,
            time_ms,
            item,
            sent.data,
            values,
            model,
            members,
            dimensions,
        )

    def columns(
        self,
        keys: Sequence[bytes | None],
        values: Sequence[bytes],
        arrived_ms: Sequence[int],
        partitions: Sequence[int],
    ) -> tuple[EventColumns, list[int]]:
        """The events of many records, and how many are each record's.

        What `events` does, each step for all records before the next: in half the time.
        """
        sent, counts = _decoded(values, self._max_bytes)
        of_each = _spreading(counts)
        tenants = [each.subject for each in sent]
        if [tenant.encode() for tenant in tenants] != of_each(keys):
            raise Unusual
        if not all(map(self._is_at_home, keys, partitions)):
            raise Unusual
        times_ms = self._times.read_all([each.time for each in sent])
        leads_ms = times_ms - np.array(of_each(arrived_ms), np.int64)
        if leads_ms.min() < -self._max_age_ms or leads_ms.max() > self._max_lead_ms:
            raise Unusual
        types, data = [each.type for each in sent], [each.data for each in sent]
        columns = EventColumns(
            tenants,
            [each.source for each in sent],
            [each.id for each in sent],
            types,
            times_ms,
            _items(counts),
            data,
            self._readings(types, data),
        )
        return columns, counts

    def _readings(self, types: Sequence[str], data: Sequence[msgspec.Raw]) -> Readings:
        """What the meters make of each event: all of a type are read at once."""
        kinds = sorted(set(types))
        readers = [self._readers.get(kind, _UNMETERED).bulk for kind in kinds]
        if len(kinds) == 1:
            return readers[0](data)
        places = [[place for place, own in enumerate(types) if own == kind] for kind in kinds]
        texts = [[data[place] for place in own] for own in places]
        read = [reader(own) for reader, own in zip(readers, texts, strict=True)]
        return in_turn(read, list(chain.from_iterable(places)))


def _decoded(values: Sequence[bytes], max_bytes: int) -> tuple[list[UsualEvent], list[int]]:
    """The elements of all records, and how many are each record's."""
    together = b"".join(values)
    if not together.isascii():
        for value in values:
            value.decode()
    if {value[0] for value in values} != {_OBJECT}:
        elements = [_elements(value, max_bytes) for value in values]
        return list(chain.from_iterable(elements)), list(map(len, elements))
    longest = max(map(len, values))
    if longest > max_bytes:
        raise Unusual
    if longest > _SHALLOW_BYTES or _LIST in together:
        may_be_deep = (value for value in values if len(value) > _SHALLOW_BYTES or _LIST in value)
        if any(is_too_deep(value, MAX_DEPTH) for value in may_be_deep):
            raise Unusual
    return list(map(_decode, values)), [1] * len(values)


def _element(value: bytes) -> UsualEvent:
    """The event that a record is, not nested too deep."""
    if (len(value) > _SHALLOW_BYTES or _LIST in value) and is_too_deep(value, MAX_DEPTH):
        raise Unusual
    return _decode(value)


def _elements(value: bytes, max_bytes: int) -> list[UsualEvent]:
    """The events of a record, none of them nested too deep or longer than may be."""
    if len(value) > max_bytes:
        return _elements_one_by_one(value, max_bytes)
    if value[0] == _OBJECT:
        return [_element(value)]
    elements = _decode_array(value)
    opened = value.count(b"{") + (value.count(b"[") if value.find(b"[", 1) > 0 else 1)
    # The array opened one, and two are of every element but one, be that one ever so deep.
    if not elements or opened - (2 * len(elements) - 1) > MAX_DEPTH:
        raise Unusual
    return elements


def _elements_one_by_one(value: bytes, max_bytes: int) -> list[UsualEvent]:
    """The events of an array that is longer than one event may be."""
    elements = list(map(bytes, _cut_array(value)))
    if max(map(len, elements)) > max_bytes:
        raise Unusual
    return list(map(_element, elements))


def _items(counts: list[int]) -> list[int]:
    """Each event's index in its record."""
    if counts.count(1) == len(counts):
        return [0] * len(counts)
    return list(chain.from_iterable(map(range, counts)))


def _spreading(counts: list[int]) -> Callable[[Sequence[object]], list[object]]:
    """Makes a list for events out of one for records."""
    if counts.count(1) == len(counts):
        return list
    return lambda column: list(chain.from_iterable(map(repeat, column, counts)))
