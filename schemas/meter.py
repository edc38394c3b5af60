"""What is counted: a meter reads events of one type and aggregates a value of theirs."""

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, model_validator

from schemas.expression import Expression, parse_expression
from schemas.labels import Label

Aggregation = Literal[
    "count", "sum", "max", "latest", "unique_count", "min", "avg", "time_weighted"
]
ADDITIVE = frozenset({"count", "sum"})
STREAMED = ADDITIVE | {"max", "latest", "unique_count"}
"""What counters follow event by event; the others are known to the warehouse alone."""

UNIQUE_BOUND = 1000
"""Distinct values that a counter tells apart; it stays at this number when there are more."""

PRICED_BY_VALUE = ADDITIVE | {"time_weighted"}
"""Aggregations whose quantities by value add up to something that one bill can hold."""

MAX_PROPERTIES = 9

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Property = Annotated[str, Field(min_length=1)]


def _value(value: object) -> tuple[str, ...] | str:
    """A list of properties, or the text of an expression."""
    if isinstance(value, str):
        parse_expression(value)
        return value
    if not isinstance(value, list | tuple):
        raise ValueError("a list of properties is wanted here, such as [a, b], or a * 3 + b")
    if len(value) > MAX_PROPERTIES:
        raise ValueError(f"{len(value)} properties are too many; add up at most {MAX_PROPERTIES}")
    if not all(isinstance(name, str) and name for name in value):
        raise ValueError("a property is named by a text that is not empty")
    return tuple(value)


def _written(value: tuple[str, ...] | str) -> Any:
    return value


Value = Annotated[tuple[str, ...] | str, PlainValidator(_value), PlainSerializer(_written)]


class Meter(BaseModel):
    """A meter: the events it reads, what it makes of their values, and the dimensions it keeps.

    `value` lists properties of the event's `data`, whose numbers are added up within an event, or
    is an expression of them. A `count` has none; `unique_count` has one, of any text or number.
    `filter` names the labels that properties must have: all other events it does not read.
    `priced_by` is the dimension that a price may depend on; each of its values is metered by
    itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    event_type: Annotated[str, Field(min_length=1, max_length=200)]
    aggregation: Aggregation
    value: Value = ()
    filter: dict[Property, Annotated[tuple[Label, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    dimensions: tuple[Name, ...] = ()
    priced_by: Name | None = None
    unit: Annotated[str, Field(min_length=1)] = "unit"

    @model_validator(mode="after")
    def _value_fits_aggregation(self) -> Self:
        kind = self.aggregation
        if kind == "count" and self.value:
            raise ValueError("a count meter has no value; leave `value` out")
        if kind != "count" and not self.value:
            raise ValueError(f"a {kind} meter needs `value`, the properties that it reads")
        if kind == "unique_count" and (len(self.value) > 1 or self.expression):
            raise ValueError("a unique_count meter tells values of one property apart: [user]")
        return self

    @model_validator(mode="after")
    def _values_can_be_priced(self) -> Self:
        if self.priced_by is None:
            return self
        if self.priced_by not in self.dimensions:
            raise ValueError(f"{self.priced_by!r} is not a dimension; add it to `dimensions`")
        if self.aggregation not in PRICED_BY_VALUE:
            allowed = ", ".join(sorted(PRICED_BY_VALUE))
            raise ValueError(
                f"values of a {self.aggregation} do not add up to it; `priced_by` is for {allowed}"
            )
        return self

    @cached_property
    def expression(self) -> Expression | None:
        """How the value is computed, where it is not a sum of properties."""
        return parse_expression(self.value) if isinstance(self.value, str) else None

    @property
    def properties(self) -> tuple[str, ...]:
        """The properties that the value is made of."""
        return self.value if isinstance(self.value, tuple) else parse_expression(self.value).names

    @property
    def tells_apart(self) -> bool:
        """Does it read a label (`Event.members`) and no number?"""
        return self.aggregation == "unique_count"

    @property
    def is_additive(self) -> bool:
        """Do values of events add up? Then their sum can be cut into parts, and is billed."""
        return self.aggregation in ADDITIVE

    @property
    def is_streamed(self) -> bool:
        """Do counters follow it, so that limits can be judged within a second?"""
        return self.aggregation in STREAMED
