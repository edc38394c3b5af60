"""Records of `usage.events` as an Arrow table of deliveries, and the elements that are rejected.

Owns the way from admitted events to the columns of `usage_events`, written flat: this runs for
every event. It neither reads Kafka nor writes ClickHouse.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.admission.admission import Admission
from pipelines.admission.bulk_reading import Readings
from pipelines.admission.event_columns import EventColumns
from schemas.catalog import Catalog
from schemas.event import Event, Rejection
from schemas.quantity import MICRO
from schemas.vector import position
from streams.landing.columns import buffers, decimals, marks, moments, spreading, texts
from streams.landing.sent_times import sent_times

QUANTITY = pa.decimal128(18, 6)
QUANTITY_LIMIT = 10**18
"""Quantities of one event are below this many 1e-6 units: eighteen digits."""

MAX_KEY_BYTES = 1_000
"""So much of a key is kept with each element that is rejected: a tenant's is never as long."""

TEXTS = pa.list_(pa.string())


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
    def set_headers(self, value: list[tuple[str, bytes | None]]) -> None: ...


@dataclass(frozen=True, slots=True)
class RejectedElement:
    """A rejection with its place in the log, and the key that its record had, if need be cut."""

    partition: int
    offset: int
    arrived_ms: int
    key: bytes | None
    rejection: Rejection

    @classmethod
    def of(cls, record: Record, rejection: Rejection) -> "RejectedElement":
        """A rejected element of a record."""
        key = record.key()
        told = None if key is None else key[:MAX_KEY_BYTES]
        place = record.partition(), record.offset(), record.timestamp()[1]
        return cls(*place, told, rejection)


@dataclass(slots=True)
class Deliveries:
    """Records of a batch and what was admitted of them.

    `partitions` to `counts` have an entry a record; `counts` says how many events are its. Those
    are in `judged`, or in `events` if nobody did judge. `repeated` are indexes into them.
    """

    events: list[Event] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    arrived_ms: list[int] = field(default_factory=list)
    sent_ms: list[int | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    rejected: list[RejectedElement] = field(default_factory=list)
    judged: EventColumns | None = None

    def last_offsets(self) -> dict[int, int]:
        """How far the records reach, by partition; in each they come in order."""
        return dict(zip(self.partitions, self.offsets, strict=True))


def judge(records: Sequence[Record], admission: Admission, found: Deliveries) -> None:
    """Admit every element of records of `usage.events`, in order, as what is found."""
    found.partitions = [record.partition() for record in records]
    found.offsets = [record.offset() for record in records]
    found.arrived_ms = [record.timestamp()[1] for record in records]
    found.sent_ms = sent_times(records)
    keys = [record.key() for record in records]
    values = [record.value() for record in records]
    judged = admission.admit_all(keys, values, found.arrived_ms, found.partitions)
    found.judged, found.counts = judged or _judge_each(records, admission, found.rejected)
    found.repeated = _repeats(found.judged, found.counts)


def _judge_each(
    records: Sequence[Record], admission: Admission, rejected: list[RejectedElement]
) -> tuple[EventColumns, list[int]]:
    events: list[Event] = []
    counts: list[int] = []
    for record in records:
        place = record.timestamp()[1], record.partition()
        admitted = admission.admit(record.key(), record.value(), *place)
        before = len(events)
        for one in admitted:
            if type(one) is Event:
                events.append(one)
            else:
                rejected.append(RejectedElement.of(record, one))
        counts.append(len(events) - before)
    return EventColumns.of(events), counts


def usage_table(found: Deliveries, catalog: Catalog, epoch: int) -> pa.Table:
    """The deliveries as columns of `usage_events`.

    Raises:
        ValueError: a quantity has more than eighteen digits; nothing is rounded or cut.
    """
    events = found.judged or EventColumns.of(found.events)
    per_event = spreading(found.counts)
    offsets = np.array(found.offsets, np.uint64) | np.uint64(position(epoch, 0))
    columns = {
        "tenant": texts(events.tenants),
        "source": texts(events.sources),
        "id": texts(events.ids),
        "type": texts(events.types),
        "time": moments(events.times_ms),
        "data": buffers(events.data),
        "model": texts(events.readings.models),
        **_metered(events.types, events.readings, catalog),
        "repeated": marks(len(events), found.repeated),
        "partition": per_event(pa.array(found.partitions, pa.uint16())),
        "ver": per_event(pa.array(~offsets)),
        "item": pa.array(events.items, pa.uint32()),
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


def _metered(types: Sequence[str], read: Readings, catalog: Catalog) -> dict[str, pa.Array]:
    """What the meters make of the events, as list columns that belong together."""
    labels: dict[str, pa.Array] = {}
    if any(meter.tells_apart for meter in catalog.meter_list):
        read, labels["members"] = _with_members(read)
    if any(meter.priced_by for meter in catalog.meter_list):
        keys = zip(map(dict, read.dimensions), read.meters, strict=True)
        labels["dimensions"] = pa.array([[of.get(n, "") for n in own] for of, own in keys], TEXTS)
    if any(meter.filter for meter in catalog.meter_list):
        labels["left_out"] = pa.array(_left_out(types, read.meters, catalog), TEXTS)
    ends = read.ends()
    names = pa.array([meter.name for meter in catalog.meter_list])
    named = pa.DictionaryArray.from_arrays(read.flat_meters(), names)
    return {
        "meters": pa.ListArray.from_arrays(ends, named),
        "quantities": pa.ListArray.from_arrays(ends, _quantities(read.micros)),
        **labels,
    }


def _with_members(read: Readings) -> tuple[Readings, pa.Array]:
    """The readings with one of each member that a meter tells apart, and the members' texts."""
    own = list(zip(read.meters, read.members, strict=True))
    meters = [(*summed, *(meter for meter, _ in told)) for summed, told in own]
    members = [[""] * len(summed) + [text for _, text in told] for summed, told in own]
    behind = np.repeat(read.ends()[1:], [len(told) for _, told in own])
    micros = np.insert(read.micros, behind, MICRO)
    return read._replace(meters=meters, micros=micros), pa.array(members, TEXTS)


def _left_out(
    types: Sequence[str], meters: Sequence[tuple[int, ...]], catalog: Catalog
) -> list[list[str]]:
    """For each event, the meters of its type whose filter leaves it out."""
    filtered: dict[str, list[tuple[int, str]]] = {}
    for index, meter in enumerate(catalog.meter_list):
        if meter.filter:
            filtered.setdefault(meter.event_type, []).append((index, meter.name))
    return [
        [name for index, name in filtered.get(kind, ()) if index not in metered]
        for kind, metered in zip(types, meters, strict=True)
    ]


def _quantities(micros: NDArray[np.int64]) -> pa.Array:
    if len(micros) and max(int(micros.max()), -int(micros.min())) >= QUANTITY_LIMIT:
        raise ValueError("a quantity has more than eighteen digits; admission must refuse it")
    return decimals(micros, QUANTITY)


def _repeats(events: EventColumns, counts: Sequence[int]) -> list[int]:
    """Indexes of events whose id an earlier one of their record had."""
    if max(counts, default=0) <= 1:
        return []
    repeats: list[int] = []
    end = 0
    for count in counts:
        start, end = end, end + count
        ids = events.ids[start:end]
        if len(set(ids)) < count:
            repeats += _repeated(zip(events.sources[start:end], ids, strict=True), start)
    return repeats


def _repeated(names: Iterable[tuple[str, str]], first: int) -> Iterator[int]:
    seen: set[tuple[str, str]] = set()
    for index, name in enumerate(names, first):
        if name in seen:
            yield index
        seen.add(name)


def _printable(text: str) -> bytes:
    """A detail may quote what was sent; a lone surrogate in it must not stop the landing."""
    return text.encode(errors="replace")
