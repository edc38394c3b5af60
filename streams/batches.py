"""Records of `usage.events` as an Arrow table of deliveries, and the elements that are rejected.

Owns the way from admitted events to the columns of `usage_events`, written flat: this loop runs
for every event. It neither reads Kafka nor writes ClickHouse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.admission import Admission
from schemas.catalog import Catalog
from schemas.event import EARLIEST_MS, LATEST_MS, Event, Rejection
from schemas.quantity import MICRO
from schemas.topics import SENT_AT_HEADER
from schemas.vector import position

MOMENT = pa.timestamp("ms", "UTC")
QUANTITY = pa.decimal128(18, 6)
_first, _second = itemgetter(0), itemgetter(1)

TEXTS = pa.list_(pa.string())
QUANTITY_LIMIT = 10**18
"""Quantities of one event are below this many 1e-6 units: eighteen digits."""


class Record(Protocol):
    """What is read of a Kafka message; confluent-kafka's has this shape once it has a topic."""

    def __len__(self) -> int: ...
    def error(self) -> Any: ...
    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def timestamp(self) -> tuple[int, int]: ...
    def headers(self) -> list[tuple[str, bytes | None]] | None: ...


@dataclass(frozen=True, slots=True)
class RejectedElement:
    """A rejection with its place in the log and the key that its record had."""

    partition: int
    offset: int
    arrived_ms: int
    key: bytes | None
    rejection: Rejection


@dataclass(slots=True)
class Deliveries:
    """Records of a batch and what was admitted of them.

    `partitions` to `counts` have an entry a record; `counts` says how many of `events` are its.
    `repeated` are indexes into `events`.
    """

    events: list[Event] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    arrived_ms: list[int] = field(default_factory=list)
    sent_ms: list[int | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    rejected: list[RejectedElement] = field(default_factory=list)


def judge(records: Sequence[Record], admission: Admission, found: Deliveries) -> None:
    """Admit every element of records of `usage.events`, in order, and add them to the found."""
    admit = admission.admit
    events, counts = found.events, found.counts
    values = [record.value() for record in records]
    arrived_ms = [record.timestamp()[1] for record in records]
    for record, value, arrived in zip(records, values, arrived_ms, strict=True):
        admitted: Sequence[Any] = admit(record.key(), value, arrived)
        count = len(admitted)
        if count > 1 or type(admitted[0]) is Rejection:
            admitted = _set_aside(record, admitted, found.rejected)
            count = len(admitted)
            found.repeated += _repeats(admitted, len(events))
        events += admitted
        counts.append(count)
    found.arrived_ms += arrived_ms
    found.partitions += [record.partition() for record in records]
    found.offsets += [record.offset() for record in records]
    found.sent_ms += [_sent_ms(record.headers()) for record in records]


def usage_table(found: Deliveries, catalog: Catalog, epoch: int) -> pa.Table:
    """The deliveries as columns of `usage_events`.

    Raises:
        ValueError: a quantity has more than eighteen digits; nothing is rounded or cut.
    """
    events = found.events
    per_event = _spread(found.counts)
    offsets = np.array(found.offsets, np.uint64) | np.uint64(position(epoch, 0))
    columns = {
        "tenant": pa.array([event.tenant for event in events], pa.string()),
        "source": pa.array([event.source for event in events], pa.string()),
        "id": pa.array([event.id for event in events], pa.string()),
        "type": pa.array([event.type for event in events], pa.string()),
        "time": moments([event.time_ms for event in events]),
        "data": _bytes([event.data for event in events]),
        "model": pa.array([event.model for event in events], pa.string()),
        **_metered(events, catalog),
        "repeated": pa.array(_marks(len(events), found.repeated)),
        "partition": per_event(pa.array(found.partitions, pa.uint16())),
        "ver": per_event(pa.array(~offsets)),
        "item": pa.array([event.item for event in events], pa.uint32()),
        "arrived": per_event(moments(found.arrived_ms)),
        "sent": per_event(moments(found.sent_ms)),
    }
    return pa.table(columns)


def rejected_table(rejected: Sequence[RejectedElement], topic: str, epoch: int) -> pa.Table:
    """The rejected elements as columns of `rejected`."""
    return pa.table(
        {
            "topic": pa.array([topic] * len(rejected), pa.string()),
            "epoch": pa.array([epoch] * len(rejected), pa.uint16()),
            "partition": pa.array([one.partition for one in rejected], pa.uint16()),
            "offset": pa.array([one.offset for one in rejected], pa.uint64()),
            "item": pa.array([one.rejection.item for one in rejected], pa.uint32()),
            "reason": pa.array([one.rejection.reason for one in rejected], pa.string()),
            "detail": pa.array([_printable(one.rejection.detail) for one in rejected], pa.binary()),
            "key": pa.array([one.key for one in rejected], pa.binary()),
            "element": pa.array([one.rejection.element for one in rejected], pa.binary()),
            "arrived": moments([one.arrived_ms for one in rejected]),
        }
    )


def moments(instants_ms: Sequence[int | None]) -> pa.Array:
    """Epoch milliseconds as an Arrow column of instants."""
    return pa.array(instants_ms, pa.int64()).cast(MOMENT)


def decimals(micro: NDArray[np.int64], kind: pa.Decimal128Type) -> pa.Array:
    """Integers as the unscaled values of a decimal column: 1 of decimal(18, 6) is 0.000001."""
    words = np.empty((len(micro), 2), np.int64)
    words[:, 0] = micro
    words[:, 1] = micro >> 63
    return pa.Array.from_buffers(kind, len(micro), [None, pa.py_buffer(words)])


def _spread(counts: list[int]) -> Callable[[pa.Array], pa.Array]:
    """Makes a column of events out of one of records; most records hold one event."""
    if counts.count(1) == len(counts):
        return lambda column: column
    record = pa.array(np.repeat(np.arange(len(counts)), counts))
    return lambda column: column.take(record)


def _bytes(texts: Sequence[Any]) -> pa.Array:
    """Buffers as a binary column, without an object for each."""
    ends = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=ends[1:])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.binary(), len(texts), buffers)


def _metered(events: list[Event], catalog: Catalog) -> dict[str, pa.Array]:
    """What the meters make of the events, as list columns that belong together."""
    pairs = [event.values for event in events]
    texts: dict[str, pa.Array] = {}
    if any(meter.tells_apart for meter in catalog.meter_list):
        members = [[""] * len(e.values) + [text for _, text in e.members] for e in events]
        pairs = [(*e.values, *((meter, MICRO) for meter, _ in e.members)) for e in events]
        texts["members"] = pa.array(members, TEXTS)
    if any(meter.priced_by for meter in catalog.meter_list):
        keys = [dict(event.dimensions) for event in events]
        own = [[of.get(n, "") for n, _ in each] for of, each in zip(keys, pairs, strict=True)]
        texts["dimensions"] = pa.array(own, TEXTS)
    if any(meter.filter for meter in catalog.meter_list):
        texts["left_out"] = pa.array([_left_out(event, catalog) for event in events], TEXTS)
    micros = np.fromiter(map(_second, chain.from_iterable(pairs)), np.int64)
    if "left_out" not in texts and len({event.type for event in events}) == 1:
        # All have the same meters.
        ends = np.arange(len(events) + 1, dtype=np.int32) * len(pairs[0])
        meters = np.tile(np.array([meter for meter, _ in pairs[0]], np.int32), len(events))
    else:
        ends = np.zeros(len(events) + 1, np.int32)
        np.cumsum(np.fromiter(map(len, pairs), np.int32, len(events)), out=ends[1:])
        meters = np.fromiter(map(_first, chain.from_iterable(pairs)), np.int32)
    names = pa.array([meter.name for meter in catalog.meter_list])
    named = pa.DictionaryArray.from_arrays(pa.array(meters), names)
    return {
        "meters": pa.ListArray.from_arrays(pa.array(ends), named),
        "quantities": pa.ListArray.from_arrays(pa.array(ends), _quantities(micros)),
        **texts,
    }


def _left_out(event: Event, catalog: Catalog) -> list[str]:
    """Meters of the event's type whose filter leaves it out."""
    metered = {n for n, _ in event.values} | {n for n, _ in event.members}
    return [
        meter.name
        for n, meter in enumerate(catalog.meter_list)
        if meter.filter and meter.event_type == event.type and n not in metered
    ]


def _quantities(micros: NDArray[np.int64]) -> pa.Array:
    if len(micros) and max(int(micros.max()), -int(micros.min())) >= QUANTITY_LIMIT:
        raise ValueError("a quantity has more than eighteen digits; admission must refuse it")
    return decimals(micros, QUANTITY)


def _set_aside(
    record: Record, admitted: Sequence[Any], rejected: list[RejectedElement]
) -> Sequence[Event]:
    """Put a record's rejections to the others; its events."""
    if Rejection not in map(type, admitted):
        return admitted
    place = record.partition(), record.offset(), record.timestamp()[1], record.key()
    rejected += [RejectedElement(*place, one) for one in admitted if type(one) is Rejection]
    return [one for one in admitted if type(one) is Event]


def _repeats(events: Sequence[Event], first: int) -> list[int]:
    """Indexes, counted from `first`, of events whose id an earlier one of their record had."""
    if len({event.id for event in events}) == len(events):
        return []
    seen: set[tuple[str, str]] = set()
    repeats = []
    for index, event in enumerate(events, first):
        if (event.source, event.id) in seen:
            repeats.append(index)
        seen.add((event.source, event.id))
    return repeats


def _sent_ms(headers: list[tuple[str, bytes | None]] | None) -> int | None:
    """The producer's send time; None when it is missing or no time."""
    for name, text in headers or ():
        if name == SENT_AT_HEADER:
            return _instant_ms(text)
    return None


@lru_cache(maxsize=10_000)
def _instant_ms(text: bytes | None) -> int | None:
    if text is None or not text.isdigit() or len(text) >= 16:
        return None
    sent_ms = int(text)
    return sent_ms if EARLIEST_MS <= sent_ms < LATEST_MS else None


def _marks(length: int, marked: Sequence[int]) -> NDArray[np.bool_]:
    marks = np.zeros(length, np.bool_)
    marks[list(marked)] = True
    return marks


def _printable(text: str) -> bytes:
    """A detail may quote what was sent; a lone surrogate in it must not stop the landing."""
    return text.encode(errors="replace")
