"""Events column by column, as landing makes rows of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pipelines.quick_reading import Labels
from schemas.event import Event


@dataclass(frozen=True, slots=True)
class EventColumns:
    """One list for each attribute of `Event`, which says what it means; all are equally long."""

    tenants: Sequence[str]
    sources: Sequence[str]
    ids: Sequence[str]
    types: Sequence[str]
    times_ms: Sequence[int]
    items: Sequence[int]
    data: Sequence[msgspec.Raw]
    values: Sequence[tuple[tuple[int, int], ...]]
    models: Sequence[str]
    members: Sequence[Labels]
    dimensions: Sequence[Labels]

    @classmethod
    def of(cls, events: Sequence[Event]) -> "EventColumns":
        """The columns of events."""
        return cls(
            *([getattr(event, name) for event in events] for name in Event.__struct_fields__)
        )

    def __len__(self) -> int:
        """How many events there are."""
        return len(self.ids)
