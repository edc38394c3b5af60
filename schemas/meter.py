"""What is counted: a meter reads events of one type and aggregates a value of theirs."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Aggregation = Literal[
    "count", "sum", "max", "latest", "unique_count", "min", "avg", "time_weighted"
]
ADDITIVE = frozenset({"count", "sum"})
STREAMED = ADDITIVE | {"max", "latest", "unique_count"}
"""What counters follow event by event; the others are known to the warehouse alone."""

UNIQUE_BOUND = 1000
"""Distinct values that a counter tells apart; it stays at this number when there are more."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Meter(BaseModel):
    """A meter: the events it reads, what it makes of their values, and the dimensions it keeps.

    `value` lists properties of the event's `data`; their numbers are added up within an event. A
    `count` has none; `unique_count` has one, of any text or number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    event_type: Annotated[str, Field(min_length=1, max_length=200)]
    aggregation: Aggregation
    value: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=9)] = ()
    dimensions: tuple[Name, ...] = ()
    unit: Annotated[str, Field(min_length=1)] = "unit"

    @model_validator(mode="after")
    def _value_fits_aggregation(self) -> Self:
        kind = self.aggregation
        if kind == "count" and self.value:
            raise ValueError("a count meter has no value; leave `value` out")
        if kind != "count" and not self.value:
            raise ValueError(f"a {kind} meter needs `value`, the properties that it reads")
        if kind == "unique_count" and len(self.value) > 1:
            raise ValueError("a unique_count meter tells values of one property apart")
        return self

    @property
    def is_additive(self) -> bool:
        """Do values of events add up? Then their sum can be cut into parts, and is billed."""
        return self.aggregation in ADDITIVE

    @property
    def is_streamed(self) -> bool:
        """Do counters follow it, so that limits can be judged within a second?"""
        return self.aggregation in STREAMED
