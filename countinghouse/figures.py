"""What the processes of this machine tell of themselves, asked of their `/metrics` and `/readyz`.

Owns the asking and what the figures mean together; showing them is the command line's matter.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from schemas import metrics as listed
from schemas.metrics import Metric
from streams.health.health import LOOPBACK

ANSWER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure, by its name in queries."""

    name: str
    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        inside = ",".join(f'{name}="{value}"' for name, value in sorted(self.labels.items()))
        return f"{self.name}{{{inside}}}" if inside else self.name


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a process told at one moment; `problem` is why it is not ready."""

    at_s: float
    problem: str | None
    samples: tuple[Sample, ...]

    def values(self, metric: Metric, suffix: str = "", **labels: str) -> list[float]:
        """A metric's samples with these labels; a histogram's have a suffix."""
        name = metric.sample + suffix
        return [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def total(self, metric: Metric, suffix: str = "", **labels: str) -> int:
        """The sum of a metric's samples."""
        return round(sum(self.values(metric, suffix, **labels)))

    def by(self, metric: Metric, label: str) -> dict[str, int]:
        """The sum of a metric's samples for each value of a label."""
        found = {s.labels[label] for s in self.samples if s.name == metric.sample}
        return {value: self.total(metric, **{label: value}) for value in sorted(found)}

    def mean_since(self, before: "Figures", metric: Metric) -> float | None:
        """A histogram's mean of what came after that moment; None of nothing."""
        count = sum(self.values(metric, "_count")) - sum(before.values(metric, "_count"))
        total = sum(self.values(metric, "_sum")) - sum(before.values(metric, "_sum"))
        return total / count if count > 0 else None  # fewer: it has begun anew


class _Progress(NamedTuple):
    """The metrics that say how far a process is."""

    events: Metric
    lag: Metric
    lag_seconds: Metric
    catalog_version: Metric
    epoch: Metric


_PROGRESS = {
    "counters": _Progress(
        listed.COUNTED,
        listed.COUNTERS_LAG,
        listed.COUNTERS_LAG_SECONDS,
        listed.COUNTERS_CATALOG,
        listed.COUNTERS_EPOCH,
    ),
    "landing": _Progress(
        listed.LANDED,
        listed.LANDING_LAG,
        listed.LANDING_LAG_SECONDS,
        listed.LANDING_CATALOG,
        listed.LANDING_EPOCH,
    ),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a process is that reads usage; the rate is that between two moments."""

    lag_records: int
    lag_seconds: float
    events_per_second: int
    catalog_version: int
    epoch: int


def standing(process: str, before: Figures, now: Figures) -> Standing | None:
    """Where a process stands; None for one that reads no usage, or that does not answer."""
    progress = _PROGRESS.get(process)
    if progress is None or not now.samples:
        return None
    events = now.total(progress.events) - before.total(progress.events)
    return Standing(
        lag_records=now.total(progress.lag),
        lag_seconds=round(max(now.values(progress.lag_seconds), default=0), 3),
        events_per_second=max(0, round(events / max(now.at_s - before.at_s, 0.001))),
        catalog_version=now.total(progress.catalog_version),
        epoch=now.total(progress.epoch),
    )


def figures(port: int, host: str = LOOPBACK) -> Figures:
    """What the process at a port of this machine tells now; nothing when there is none."""
    status, said = _get(host, port, "/readyz")
    _, told = _get(host, port, "/metrics")
    problem = None if status == 200 else said.strip() or "no answer"
    return Figures(time.monotonic(), problem, tuple(_samples(told)))


def _samples(told: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(told):
        for sample in family.samples:
            if not sample.name.endswith(("_created", "_bucket")):
                yield Sample(sample.name, sample.labels, sample.value)


def _get(host: str, port: int, path: str) -> tuple[int, str]:
    wire = HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        wire.request("GET", path)
        answer = wire.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, HTTPException):
        return 0, ""
    finally:
        wire.close()
