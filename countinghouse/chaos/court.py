"""Where the verdicts are spoken: reads topics, tables and `countinghouse reconcile` at the end.

Owns the reading; what follows from it is in `verdict` and `announcements`, which are pure.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from countinghouse.chaos import announcements, verdict
from countinghouse.chaos.announcements import Announced, Timelines
from countinghouse.chaos.auditor import reconciled
from countinghouse.chaos.topics import Read, StateReading, log_places, read_all
from countinghouse.chaos.town import Town
from countinghouse.chaos.traffic import Traffic
from countinghouse.chaos.truth import Truth
from countinghouse.chaos.verdict import Verdict
from countinghouse.chaos.warehouse import Place, opened
from schemas.topics import ENTITLEMENTS, QUOTA_EXCEEDED, USAGE_ALERTS, USAGE_EVENTS, USAGE_REJECTED


@dataclass
class Court:
    """The evidence of one town, compared with the truth."""

    town: Town
    truth: Truth
    changing: frozenset[str]
    announced: list[Announced] = field(default_factory=list)

    def verdicts(self, state: StateReading, traffic: Traffic) -> Iterator[Verdict]:
        """Every verdict but that on stops, which come last."""
        truth = self.truth
        places, twice = log_places(self._read(USAGE_EVENTS))
        yield verdict.log(truth.messages, places, twice, traffic.failures)
        used = {key: json.loads(row)["used"] for key, row in state.rows.items()}
        yield verdict.counters("quota.state = truth", truth.tallies, used)
        yield from self._on_announcements()
        letters = [_letter(record) for record in self._read(USAGE_REJECTED)]
        name = "usage.rejected = malformed"
        yield verdict.rejections(name, truth.rejected, places, letters)
        yield from self._on_warehouse(places)
        for month in sorted({key.start[:7] for key in truth.tallies}):
            found = reconciled(self.town.settings, month)
            yield Verdict(f"reconcile {month}", found.compared, found.differences)

    def _on_announcements(self) -> Iterator[Verdict]:
        for topic in (USAGE_ALERTS, QUOTA_EXCEEDED):
            self.announced += announcements.read(topic, self._read(topic))
        timelines = Timelines(self._read(ENTITLEMENTS))
        yield announcements.once(self.announced)
        yield announcements.constant(self.truth.announced, self.changing, self.announced)
        now_ms = time.time_ns() // 1_000_000
        yield announcements.changing(self.truth.tallies, timelines, self.announced, now_ms)

    def _on_warehouse(self, places: dict[int, tuple[int, int]]) -> Iterator[Verdict]:
        truth = self.truth
        with opened(self.town.settings.clickhouse_url) as warehouse:
            yield verdict.deliveries(truth.deliveries, places, warehouse.deliveries())
            yield verdict.metered(truth.events, warehouse.metered())
            yield verdict.conflicts(truth.conflicts, warehouse.conflicts())
            yield verdict.counters("table counters = truth", truth.tallies, warehouse.counters())
            name = "table rejected = malformed"
            yield verdict.rejections(name, truth.rejected, places, warehouse.rejected())

    def _read(self, topic: str) -> list[Read]:
        settings = self.town.settings
        return read_all(settings.kafka_access, topic, settings.partitions)


def _letter(record: Read) -> tuple[Place, str, bytes]:
    """Where a rejected element stands, why it was rejected, and its bytes."""
    told = record.headers
    where = (int(told["partition"]), int(told["offset"]), int(told["item"]))
    return where, told["reason"].decode(), record.value or b""
