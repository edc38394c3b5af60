"""Counters as stored usage makes them: parts of time put into the windows that they belong to.

Pure. What windows there are, and how values are folded, is said where events are counted.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipelines.rating.entitlements import default_entry
from schemas.catalog import Catalog
from schemas.entitlement import Entitlements
from schemas.meter import Aggregation
from schemas.quantity import format_micro
from schemas.quota import QuotaState, state_key
from schemas.rebuild import Part
from streams.counting.folds import Counter, add_member, memory_fields, merge
from streams.counting.limits import Timeline
from streams.counting.windows import Span, span_of


class CounterKey(NamedTuple):
    """Whose counter it is, of what, and when."""

    tenant: str
    meter: str
    span: Span

    def encode(self) -> bytes:
        """As a key of `quota.state`."""
        return state_key(self.tenant, self.meter, self.span.kind, self.span.window.start)


def recount(
    parts: Iterable[Part], catalog: Catalog, published: Mapping[str, Entitlements]
) -> dict[CounterKey, Counter]:
    """The counters that these parts make: each part in one window of each of its meter's kinds."""
    found: dict[CounterKey, Counter] = {}
    anchors = _Anchors(catalog, published)
    for part in parts:
        aggregation = catalog.meters[part.meter].aggregation
        anchor_day = anchors.day(part.tenant, part.began_ms)
        for kind in catalog.windows_of(part.meter):
            span = span_of(kind, part.began_ms, anchor_day)
            key = CounterKey(part.tenant, part.meter, span)
            counter = found.get(key)
            if counter is None:
                counter = found[key] = Counter(0, 0, 0)
            _add(counter, part, aggregation)
    return found


def state_of(key: CounterKey, counter: Counter, before: QuotaState | None) -> QuotaState:
    """A counter as a row, to be judged anew; what was announced of it stays so."""
    window = key.span.window
    return QuotaState(
        tenant=key.tenant,
        meter=key.meter,
        window=window,
        used=format_micro(counter.used),
        limit=None,
        decision="allow",
        resets_at=window.end,
        announced=() if before is None else before.announced,
        epoch=0,
        position=0,
        entitlement_version=0,
        deny_from=None if before is None else before.deny_from,
        **memory_fields(counter),
    )


def _add(counter: Counter, part: Part, aggregation: Aggregation) -> None:
    if aggregation == "unique_count":
        for text in part.members:
            add_member(counter, text)
        return
    memory = part.last_ms if aggregation == "latest" else None
    merge(counter, Counter(part.micro, 0, 0, memory=memory), aggregation)


class _Anchors:
    """On which day of the month billing periods begin."""

    def __init__(self, catalog: Catalog, published: Mapping[str, Entitlements]) -> None:
        self._names = [meter.name for meter in catalog.meter_list]
        self._default = default_entry(catalog)
        self._published = published if catalog.anniversary_billing else {}
        self._timelines: dict[str, Timeline] = {}

    def day(self, tenant: str, time_ms: int) -> int:
        """The tenant's at a time."""
        if tenant not in self._published:
            return self._default.anchor_day
        timeline = self._timelines.get(tenant)
        if timeline is None:
            timeline = Timeline.of(self._published[tenant], self._default, self._names)
            self._timelines[tenant] = timeline
        return timeline.anchor_day(time_ms)
