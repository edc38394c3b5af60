"""Reading the data of many events of one type at once, property by property.

For meters that count events or add up properties; what others make of an event is read one by one.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add, attrgetter
from typing import Any, NamedTuple

import msgspec

from pipelines.admission.quick_reading import MODEL, WHOLE, Indexed, Labels, Reading
from schemas.quantity import MICRO


class Readings(NamedTuple):
    """What the meters make of events: for each the meters' indexes and their values in 1e-6 units.

    And what `Reading` has beside them.
    """

    meters: Sequence[tuple[int, ...]]
    micros: Sequence[tuple[int, ...]]
    members: Sequence[Labels]
    dimensions: Sequence[Labels]
    models: Sequence[str]


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
        [tuple([micro for _, micro in values]) for values, _, _, _ in readings],
        [members for _, members, _, _ in readings],
        [dimensions for _, _, dimensions, _ in readings],
        [model for _, _, _, model in readings],
    )


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
        micros = {
            name: [whole * MICRO for whole in map(attrgetter(own), rows)]
            for name, own in self._own.items()
        }
        values = [
            _sums([micros[name] for name in properties]) if properties else [MICRO] * count
            for properties in self._added
        ]
        models = [""] * count if MODEL in self._own else [row.model for row in rows]
        none: list[Labels] = [()] * count
        by_event = list(zip(*values, strict=True)) if values else [()] * count
        return Readings([self._indexes] * count, by_event, none, none, models)


def _sums(columns: Sequence[list[int]]) -> list[int]:
    """The sums of columns, row by row."""
    return reduce(lambda sums, column: list(map(add, sums, column)), columns)
