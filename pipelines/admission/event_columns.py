"""Events column by column, as landing makes rows of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.admission.bulk_reading import Readings, side_by_side
from schemas.event import Event


@dataclass(frozen=True, slots=True)
class EventColumns:
    """A column for each attribute of `Event`, which says what it means; all are equally long."""

    tenants: Sequence[str]
    sources: Sequence[str]
    ids: Sequence[str]
    types: Sequence[str]
    times_ms: NDArray[np.int64]
    items: Sequence[int]
    data: Sequence[msgspec.Raw]
    readings: Readings

    @classmethod
    def of(cls, events: Sequence[Event]) -> "EventColumns":
        """The columns of events."""
        return cls(
            [event.tenant for event in events],
            [event.source for event in events],
            [event.id for event in events],
            [event.type for event in events],
            np.array([event.time_ms for event in events], np.int64),
            [event.item for event in events],
            [event.data for event in events],
            side_by_side([(e.values, e.members, e.dimensions, e.model) for e in events]),
        )

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.ids)
