"""Reading an event's data of the usual form, for the hot path.

Writes a function for the meters of one event type: one decoding into a struct of just the
properties that are read, and a tuple of them. What they mean is
`pipelines.admission.meter_reading`'s rule; data of any other form than whole numbers in range and
plain texts is left to it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, cast

import msgspec

from schemas.expression import Expression
from schemas.labels import MAX_LABEL
from schemas.meter import Meter
from schemas.quantity import MAX_QUANTITY, MICRO, MICRO_DIGITS

MODEL = "model"
"""The property of `data` that is kept with every event."""

Labels = tuple[tuple[int, str], ...]
"""Texts by the meter's index in the catalogue."""

Reading = tuple[tuple[tuple[int, int], ...], Labels, Labels, str]
"""Values, members and dimensions by the meter's index in the catalogue, and the model."""

Indexed = list[tuple[int, Meter]]

WHOLE = Annotated[int, msgspec.Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
"""A number of the usual form, in units."""

_Member = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LABEL)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_LABEL)]


def quick_reading(meters: Indexed) -> Callable[[msgspec.Raw], Reading]:
    """The function for the meters of an event type; it raises `msgspec.DecodeError`."""
    summed = [(i, meter) for i, meter in meters if not meter.tells_apart]
    members = _unique(m.properties[0] for _, m in meters if m.tells_apart)
    numbers = _unique(name for _, meter in summed for name in meter.properties)
    texts = _unique(name for _, meter in meters for name in _told(meter))
    is_fine = any(m.expression and m.expression.digits > MICRO_DIGITS for _, m in meters)
    if is_fine or set(numbers) & {*members, *texts}:
        return _no_quick_reading
    kinds: dict[str, Any] = {
        **dict.fromkeys(texts, _Text),
        **dict.fromkeys(members, _Member),
        **dict.fromkeys(numbers, WHOLE),
    }
    return _Source(meters, kinds).function()


def _no_quick_reading(data: msgspec.Raw) -> Reading:
    raise msgspec.DecodeError("these meters are read by the rule alone")


def _told(meter: Meter) -> Iterator[str]:
    """Properties whose labels decide whether, and at which price, an event is metered."""
    yield from meter.filter
    if meter.priced_by:
        yield meter.priced_by


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


class _Source:
    """The function's text and what it refers to; written out, it takes a third of a loop's time.

    A property's name may be any text: the struct's own names are p0, p1, …
    """

    def __init__(self, meters: Indexed, kinds: dict[str, Any]) -> None:
        self._meters = meters
        self._kinds = kinds
        self._own = {name: f"p{n}" for n, name in enumerate(_unique([*kinds, MODEL]))}
        self._made: dict[str, Any] = {"decode": msgspec.json.Decoder(self._struct()).decode}

    def function(self) -> Callable[[msgspec.Raw], Reading]:
        exec("\n".join(self._lines()), self._made)  # noqa: S102  text of our own names alone
        return cast("Callable[[msgspec.Raw], Reading]", self._made["read"])

    def _struct(self) -> type[msgspec.Struct]:
        # Only what must be there is asked for: a text that is missing is as good as an empty one.
        needed: list[Any] = [
            (self._own[name], kind) for name, kind in self._kinds.items() if kind is not _Text
        ]
        texts: list[Any] = [
            (self._own[name], kind, "") for name, kind in self._kinds.items() if kind is _Text
        ]
        if MODEL not in self._kinds:
            texts.append((self._own[MODEL], str, ""))
        names = {text: name for name, text in self._own.items()}
        return msgspec.defstruct("Data", [*needed, *texts], gc=False, rename=names)

    def _lines(self) -> Iterator[str]:
        yield "def read(data):"
        yield " d = decode(data)"
        for name, kind in self._kinds.items():
            if kind is WHOLE:
                yield f" {self._own[name]} = d.{self._own[name]} * {MICRO}"
        values, members, dimensions = "", "", ""
        for index, meter in self._meters:
            tests = self._tests(index, meter)
            if meter.tells_apart:
                members += _item(f"({index}, d.{self._own[meter.properties[0]]})", tests)
                continue
            if meter.expression:
                yield from self._computed(index, meter.expression)
            values += _item(f"({index}, {self._value(index, meter)})", tests)
            if meter.priced_by:
                key = f"d.{self._own[meter.priced_by]}"
                dimensions += _item(f"({index}, {key})", [*tests, key])
        model = "''" if self._kinds.get(MODEL) is WHOLE else f"d.{self._own[MODEL]}"
        yield f" return ({values}), ({members}), ({dimensions}), {model}"

    def _value(self, index: int, meter: Meter) -> str:
        if meter.expression:
            return f"v{index}"
        return " + ".join(self._own[name] for name in meter.properties) or str(MICRO)

    def _computed(self, index: int, expression: Expression) -> Iterator[str]:
        """The value of an expression of whole numbers; one out of range is the rule's to tell."""
        factor = 10 ** (MICRO_DIGITS - expression.digits)
        summands = [
            " * ".join([str(number * factor), *(f"d.{self._own[name]}" for name in product)])
            for product, number in expression.coefficients.items()
        ]
        most = MAX_QUANTITY * MICRO
        self._made["unusual"] = _no_quick_reading
        yield f" v{index} = {' + '.join(summands)}"
        yield f" if not {-most} <= v{index} <= {most}: unusual(data)"

    def _tests(self, index: int, meter: Meter) -> list[str]:
        """What must be true of an event to be metered."""
        tests = []
        for n, (name, labels) in enumerate(meter.filter.items()):
            self._made[f"f{index}_{n}"] = frozenset(labels)
            tests.append(f"d.{self._own[name]} in f{index}_{n}")
        return tests


def _item(text: str, tests: list[str]) -> str:
    """An item of a tuple's text, which is there if the tests are true."""
    return f"*(({text},) if {' and '.join(tests)} else ()), " if tests else f"{text}, "
