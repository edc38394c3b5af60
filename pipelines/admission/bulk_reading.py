"""Reading the data of many events of one type at once, property by property.

For meters that count events or add up properties; what others make of an event is read one by one.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.admission.quick_reading import MODEL, WHOLE, Indexed, Labels, Reading
from schemas.quantity import MICRO


class Readings(NamedTuple):
    """What the meters make of events: for each the meters' indexes, and what `Reading` has besides.

    `micros` are the values of all in 1e-6 units, each event's behind those of the one before.
    """

    meters: Sequence[tuple[int, ...]]
    micros: NDArray[np.int64]
    members: Sequence[Labels]
    dimensions: Sequence[Labels]
    models: Sequence[str]

    @property
    def are_alike(self) -> bool:
        """Is every event read by the same meters, as most are?"""
        return bool(self.meters) and self.meters.count(self.meters[0]) == len(self.meters)

    def flat_meters(self) -> NDArray[np.int32]:
        """The meters' indexes as `micros` has their values."""
        if self.are_alike:
            return np.tile(np.array(self.meters[0], np.int32), len(self.meters))
        return np.fromiter(chain.from_iterable(self.meters), np.int32)

    def ends(self) -> NDArray[np.int32]:
        """Where the values of each event begin, and where the last ones end."""
        if self.are_alike:
            return np.arange(len(self.meters) + 1, dtype=np.int32) * len(self.meters[0])
        return ends_of(self.meters)


def ends_of(lists: Sequence[Any]) -> NDArray[np.int32]:
    """Where each of the lists begins behind the others, and where the last one ends."""
    ends = np.zeros(len(lists) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, lists), np.int64, len(lists)), out=ends[1:])
    return ends


BulkReader = Callable[[Sequence[msgspec.Raw]], Readings]
"""Reads the data of one or more events; raises `msgspec.DecodeError` as quick reading does."""


def bulk_reading(meters: Indexed, read: Callable[[msgspec.Raw], Reading]) -> BulkReader:
    """The function for the meters of an event type; `read` is their quick reading."""
    if any(m.filter or m.tells_apart or m.priced_by or m.expression for _, m in meters):
        return lambda texts: side_by_side([read(text) for text in texts])
    return _Added(meters).read


def side_by_side(readings: Sequence[Reading]) -> Readings:
    """Readings of events, each made by itself."""
    return Readings(
        [tuple([meter for meter, _ in values]) for values, _, _, _ in readings],
        np.array([micro for values, _, _, _ in readings for _, micro in values], np.int64),
        [members for _, members, _, _ in readings],
        [dimensions for _, _, dimensions, _ in readings],
        [model for _, _, _, model in readings],
    )


def in_turn(read: Sequence[Readings], places: Sequence[int]) -> Readings:
    """All these readings, one behind the other, of events at these places: in the places' order."""
    order = np.argsort(places).tolist()
    lists = [pa.ListArray.from_arrays(each.ends(), each.micros) for each in read]
    micros = pa.concat_arrays(lists).take(pa.array(order)).flatten()

    def of_each(name: str) -> list[Any]:
        every = list(chain.from_iterable(getattr(each, name) for each in read))
        return [every[index] for index in order]

    names = "members", "dimensions", "models"
    return Readings(of_each("meters"), micros.to_numpy(), *map(of_each, names))


class _Added:
    """Reads meters that count events or add up properties, each property for all events at once."""

    def __init__(self, meters: Indexed) -> None:
        self._indexes = tuple(index for index, _ in meters)
        self._added = [meter.properties for _, meter in meters]
        names = dict.fromkeys(name for properties in self._added for name in properties)
        # A property's name may be any text: the struct's own names are p0, p1, …
        self._own = {name: f"p{n}" for n, name in enumerate(names)}
        fields: list[Any] = [(own, WHOLE) for own in self._own.values()]
        if MODEL not in names:
            fields.append(("model", str, ""))
        renamed = {own: name for name, own in self._own.items()}
        data = msgspec.defstruct("Data", fields, gc=False, rename=renamed)
        self._decode: Callable[[msgspec.Raw], Any] = msgspec.json.Decoder(data).decode

    def read(self, texts: Sequence[msgspec.Raw]) -> Readings:
        rows, count = list(map(self._decode, texts)), len(texts)
        whole = {
            name: np.fromiter(map(attrgetter(own), rows), np.int64, count)
            for name, own in self._own.items()
        }
        values = np.ones((count, len(self._added)), np.int64)
        for place, properties in enumerate(self._added):
            if properties:  # few, and each of a size that their sum in 1e-6 units fits
                values[:, place] = sum(whole[name] for name in properties)
        models = [""] * count if MODEL in self._own else [row.model for row in rows]
        none: list[Labels] = [()] * count
        return Readings([self._indexes] * count, values.ravel() * MICRO, none, none, models)
