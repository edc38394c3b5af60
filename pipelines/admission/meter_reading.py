"""What the meters of one event type make of an event's data.

Readings that give the same. `exact` is the rule and says what is wrong. `quick`, which is made in
`pipelines.admission.quick_reading`, reads data of the usual form and leaves all other data to
`exact`; so does `bulk`, of `pipelines.admission.bulk_reading`, for many events at once.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from pipelines.admission.bulk_reading import BulkReader, bulk_reading
from pipelines.admission.quick_reading import MODEL, Indexed, Reading, quick_reading
from schemas.catalog import Catalog
from schemas.labels import label
from schemas.meter import Meter
from schemas.quantity import MAX_QUANTITY, MICRO, MICRO_DIGITS, to_micro

Properties = Mapping[str, msgspec.Raw]
"""An event's data by property, each still JSON text."""

Read = TypeVar("Read")


def _number(text: str) -> Decimal:
    """A JSON number with all its digits; an exponent that no Decimal holds is as good as none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


_decode_properties = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_property = msgspec.json.Decoder(Any, float_hook=_number).decode
_decode_text = msgspec.json.Decoder(str).decode


class DataReader:
    """Reads the data of one event type by its meters.

    `quick` takes JSON text, `bulk` the texts of one or more events; both raise
    `msgspec.DecodeError` for all that is not of the usual form.
    """

    def __init__(self, meters: Indexed) -> None:
        self._summed = [(i, meter) for i, meter in meters if not meter.tells_apart]
        self._told_apart = [(i, meter) for i, meter in meters if meter.tells_apart]
        self._priced = [(i, meter.priced_by) for i, meter in meters if meter.priced_by]
        self.quick: Callable[[msgspec.Raw], Reading] = quick_reading(meters)
        self.bulk: BulkReader = bulk_reading(meters, self.quick)

    def exact(self, properties: Properties) -> Reading:
        """Read property by property; one that no meter reads may hold any JSON.

        Raises:
            ValueError: a property that a meter reads is missing or not what the meter takes.
        """
        micros = _Micros(properties)
        values = [
            (index, _value(meter, micros))
            for index, meter in self._summed
            if _matches(meter, properties)
        ]
        members = [
            (index, _read(properties, meter.properties[0], _member))
            for index, meter in self._told_apart
            if _matches(meter, properties)
        ]
        metered = {index for index, _ in values}
        dimensions = [
            (index, text)
            for index, name in self._priced
            if index in metered and (text := _dimension(properties, name))
        ]
        return tuple(values), tuple(members), tuple(dimensions), _model(properties)


def properties_of(data: msgspec.Raw) -> Properties:
    """The properties of an event's data.

    Raises:
        msgspec.ValidationError: no JSON object.
        msgspec.DecodeError: no JSON.
    """
    return _decode_properties(data)


def data_readers(catalog: Catalog) -> dict[str, DataReader]:
    """A reader for each event type that a meter reads."""
    by_type: dict[str, Indexed] = {}
    for index, meter in enumerate(catalog.meter_list):
        by_type.setdefault(meter.event_type, []).append((index, meter))
    return {event_type: DataReader(meters) for event_type, meters in by_type.items()}


class _Micros(dict[str, int]):
    """Properties as numbers in 1e-6 units, each read when it is asked for. Raises ValueError."""

    def __init__(self, properties: Properties) -> None:
        self._properties = properties

    def __missing__(self, name: str) -> int:
        self[name] = micro = _read(self._properties, name, to_micro)
        return micro


def _value(meter: Meter, micros: _Micros) -> int:
    """What a meter makes of an event, in 1e-6 units. Raises ValueError."""
    if not meter.value:
        return MICRO
    if meter.expression is None:
        return sum(micros[name] for name in meter.properties)
    read = {name: micros[name] for name in meter.properties}
    try:
        micro = meter.expression.evaluate(read, MICRO_DIGITS)
    except ValueError as problem:
        raise ValueError(f"{meter.name}, {meter.value}: {problem}") from None
    if abs(micro) > MAX_QUANTITY * MICRO:
        raise ValueError(f"{meter.name}, {meter.value}: beyond {MAX_QUANTITY} units")
    return micro


def _matches(meter: Meter, properties: Properties) -> bool:
    """Does the event have, for each property of the filter, one of its labels?"""
    return all(_label(properties, name) in allowed for name, allowed in meter.filter.items())


def _label(properties: Properties, name: str) -> str | None:
    """A property's label; None where it has none, so that it matches nothing."""
    try:
        return label(_decode_property(properties[name]))
    except (KeyError, ValueError, msgspec.DecodeError):
        return None


def _dimension(properties: Properties, name: str) -> str:
    """The label that a price may depend on; '' where the property is missing, null or empty."""
    if name not in properties or bytes(properties[name]) in (b"null", b'""'):
        return ""
    return _read(properties, name, label)


def _read(properties: Properties, name: str, meaning: Callable[[Any], Read]) -> Read:
    try:
        return meaning(_decode_property(properties[name]))
    except KeyError:
        raise ValueError(f"data.{name} is missing") from None
    except (ValueError, msgspec.ValidationError) as problem:
        raise ValueError(f"data.{name}: {problem}") from None


def _member(value: object) -> str:
    """The label of a text or number: 7, 7.0 and "7" are one member."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is neither text nor a number")
    return label(value)


def _model(properties: Properties) -> str:
    try:
        return _decode_text(properties[MODEL])
    except (KeyError, msgspec.ValidationError):
        return ""
