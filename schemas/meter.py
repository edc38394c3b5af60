"""What is counted: a meter reads events of one type and aggregates a value of theirs."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Aggregation = Literal["count", "sum"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Meter(BaseModel):
    """A meter: the events it reads, what it adds up, and the dimensions it keeps.

    `value` lists properties of the event's `data`; their numbers are added. A `count` has none.
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
        if self.aggregation == "count" and self.value:
            raise ValueError("a count meter has no value; leave `value` out")
        if self.aggregation == "sum" and not self.value:
            raise ValueError("a sum meter needs `value`, the properties that it adds")
        return self
