"""The events behind lines in memory, as the warehouse tells them; digests are their offsets."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pyarrow as pa

from pipelines.columns.tables import table_of
from schemas.evidence import EVENT_COLUMNS, EventsOf, Evidence
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.tables import ArrowStream
from schemas.vector import Vector
from tests.bundles import NoEvents
from tests.fake_warehouse import Used


@dataclass
class FakeEvents(NoEvents):
    """In the order of their time they use up what is left of what is included."""

    used: list[Used]

    def evidence(self, asked: EventsOf) -> Evidence:
        found = self._found(asked)
        told = "".join(str(event.offset) for event in found)
        micro = sum(event.quantity_micro for event in found)
        over = _beyond(found, asked.left_micro)
        within = [it.quantity_micro - past for it, past in zip(found, over, strict=True)]
        split = sum(map(bool, within)), sum(within), sum(map(bool, over)), sum(over)
        return Evidence(len(found), micro, told, *split)

    def events(self, asked: EventsOf) -> pa.Table:
        return table_of((_row(event) for event in self._found(asked)), EVENT_COLUMNS)

    def digests(
        self,
        period: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> ArrowStream:
        raise NotImplementedError

    def _found(self, asked: EventsOf) -> list[Used]:
        found = (
            event
            for event in self.used
            if (event.tenant, event.meter) == (asked.tenant, asked.meter)
            and asked.value in (None, event.value)
            and asked.period.contains(event.time_ms)
            and asked.after[1, event.partition] <= event.offset < asked.as_of[1, event.partition]
        )
        return sorted(found, key=lambda event: event.time_ms)


def _beyond(found: list[Used], left_micro: int | None) -> list[int]:
    if left_micro is None:
        return [0 for _ in found]
    reached = list(accumulate((it.quantity_micro for it in found), initial=-left_micro))
    return [max(0, now) - max(0, before) for before, now in pairwise(reached)]


def _row(event: Used) -> tuple[object, ...]:
    micro, where = event.quantity_micro, (1, event.partition, event.offset, 0, event.time_ms)
    key = event.tenant, event.meter, "test", str(event.offset), "00", event.time_ms
    return (*key, micro, micro, 0, event.value, "", *where)
