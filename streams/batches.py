"""Records of `usage.events` as an Arrow table of deliveries, and the elements that are rejected.

Owns the way from admitted events to the columns of `usage_events`, written flat: this loop runs
for every event. It neither reads Kafka nor writes ClickHouse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.admission import Admission, event_key
from schemas.catalog import Catalog
from schemas.event import EARLIEST_MS, LATEST_MS, Event, Rejection
from schemas.topics import SENT_AT_HEADER
from schemas.vector import position

MOMENT = pa.timestamp("ms", "UTC")
QUANTITY = pa.decimal128(18, 6)
QUANTITY_LIMIT = 10**18
"""Quantities of one event are below this many 1e-6 units: eighteen digits."""


class Record(Protocol):
    """What is read of a Kafka message; confluent-kafka's has this shape once it has a topic."""

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
    """Admitted events of a batch, with where each was found; lists of equal length."""

    events: list[Event] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    arrived_ms: list[int] = field(default_factory=list)
    sent_ms: list[int | None] = field(default_factory=list)
    repeated: set[int] = field(default_factory=set)
    rejected: list[RejectedElement] = field(default_factory=list)


def judge(records: Iterable[Record], admission: Admission) -> Deliveries:
    """Admit every element of the records of `usage.events`, in order."""
    found = Deliveries()
    admit = admission.admit
    add_event, add_sent = found.events.append, found.sent_ms.append
    add_partition, add_offset = found.partitions.append, found.offsets.append
    add_arrived = found.arrived_ms.append
    for record in records:
        key = record.key()
        arrived_ms = record.timestamp()[1]
        outcome = admit(key, record.value(), arrived_ms)
        partition, offset, sent_ms = record.partition(), record.offset(), _sent_ms(record)
        if len(outcome) > 1:
            found.repeated.update(_repeats(outcome, len(found.events)))
        for element in outcome:
            if isinstance(element, Rejection):
                rejected = RejectedElement(partition, offset, arrived_ms, key, element)
                found.rejected.append(rejected)
                continue
            add_event(element)
            add_partition(partition)
            add_offset(offset)
            add_arrived(arrived_ms)
            add_sent(sent_ms)
    return found


def usage_table(found: Deliveries, catalog: Catalog, epoch: int) -> pa.Table:
    """The deliveries as columns of `usage_events`.

    Raises:
        ValueError: a quantity has more than eighteen digits; nothing is rounded or cut.
    """
    events = found.events
    meters, quantities = _values(events, [meter.name for meter in catalog.meter_list])
    columns = {
        "tenant": pa.array([event.tenant for event in events], pa.string()),
        "event_key": pa.array([event_key(e.source, e.id) for e in events], pa.binary(16)),
        "source": pa.array([event.source for event in events], pa.string()),
        "id": pa.array([event.id for event in events], pa.string()),
        "type": pa.array([event.type for event in events], pa.string()),
        "time": moments([event.time_ms for event in events]),
        "data": pa.array([event.data for event in events], pa.binary()),
        "model": pa.array([_model(event.properties) for event in events], pa.string()),
        "meters": meters,
        "quantities": quantities,
        "repeated": pa.array(_marks(len(events), found.repeated)),
        "partition": pa.array(found.partitions, pa.uint16()),
        "ver": pa.array(~(np.array(found.offsets, np.uint64) | np.uint64(position(epoch, 0)))),
        "item": pa.array([event.item for event in events], pa.uint32()),
        "arrived": moments(found.arrived_ms),
        "sent": moments(found.sent_ms),
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


def _values(events: list[Event], names: list[str]) -> tuple[pa.ListArray, pa.ListArray]:
    """Meters and quantities as two list columns."""
    pairs = chain.from_iterable([event.values for event in events])
    flat = np.fromiter(chain.from_iterable(pairs), np.int64).reshape(-1, 2)
    micro = np.ascontiguousarray(flat[:, 1])
    if len(micro) and max(int(micro.max()), -int(micro.min())) >= QUANTITY_LIMIT:
        raise ValueError("a quantity has more than eighteen digits; admission must refuse it")
    ends = np.zeros(len(events) + 1, np.int32)
    np.cumsum([len(event.values) for event in events], out=ends[1:])
    meters = pa.DictionaryArray.from_arrays(pa.array(flat[:, 0].astype(np.int32)), pa.array(names))
    lists = pa.ListArray.from_arrays
    return lists(pa.array(ends), meters), lists(pa.array(ends), decimals(micro, QUANTITY))


def _repeats(outcome: list[Event | Rejection], first: int) -> list[int]:
    """Indexes, counted from `first`, of events whose id an earlier element of the record had."""
    seen: set[tuple[str, str]] = set()
    repeats = []
    for index, event in enumerate(e for e in outcome if isinstance(e, Event)):
        if (event.source, event.id) in seen:
            repeats.append(first + index)
        seen.add((event.source, event.id))
    return repeats


def _sent_ms(record: Record) -> int | None:
    """The producer's send time; None when it is missing or no time."""
    for name, text in record.headers() or ():
        if name == SENT_AT_HEADER and text is not None and text.isdigit() and len(text) < 16:
            sent_ms = int(text)
            return sent_ms if EARLIEST_MS <= sent_ms < LATEST_MS else None
    return None


def _model(properties: dict[str, Any]) -> str:
    model = properties.get("model")
    return model if type(model) is str else ""


def _marks(length: int, marked: set[int]) -> NDArray[np.bool_]:
    marks = np.zeros(length, np.bool_)
    marks[list(marked)] = True
    return marks


def _printable(text: str) -> bytes:
    """A detail may quote what was sent; a lone surrogate in it must not stop the landing."""
    return text.encode(errors="replace")
