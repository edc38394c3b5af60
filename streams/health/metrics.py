"""What the counters tell a monitoring system: Prometheus metrics in a registry of their own.

Names and meanings are those of `schemas.metrics`; metrics are made from that list alone.
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas import metrics as listed
from schemas.metrics import Metric
from schemas.quota import QuotaExceeded
from streams.counting.shard import Changes
from streams.health.lag import PartitionLag

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_BUCKETS = {
    listed.FLUSH: _SECONDS,
    listed.BATCH_SECONDS: (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    listed.BATCH_ROWS: (1, 10, 100, 1_000, 10_000, 20_000, 50_000, 100_000, 500_000),
}


def counter(registry: CollectorRegistry, metric: Metric) -> Counter:
    """A counter of the list."""
    return Counter(metric.name, metric.meaning, metric.labels, registry=registry)


def gauge(registry: CollectorRegistry, metric: Metric) -> Gauge:
    """A gauge of the list."""
    return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)


def histogram(registry: CollectorRegistry, metric: Metric) -> Histogram:
    """A histogram of the list."""
    return Histogram(
        metric.name, metric.meaning, metric.labels, buckets=_BUCKETS[metric], registry=registry
    )


def gauge_family(metric: Metric) -> GaugeMetricFamily:
    """A gauge of the list whose samples are made when it is asked for."""
    return GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)


class CounterMetrics:
    """Figures of one worker since its start; only what was written durably is in them."""

    def __init__(self, epoch: int = 0, catalog_version: int = 0) -> None:
        self.registry = registry = CollectorRegistry()
        self.events = counter(registry, listed.COUNTED)
        self.duplicates = counter(registry, listed.DUPLICATES)
        self.rejected = counter(registry, listed.COUNTERS_REJECTED)
        self.crossings = counter(registry, listed.CROSSINGS)
        for kind in ("threshold", "hard_limit"):
            self.crossings.labels(kind)
        self.holes = counter(registry, listed.HOLES)
        self.reloads = counter(registry, listed.RELOADS)
        self.fenced = counter(registry, listed.FENCED)
        self.flushes = histogram(registry, listed.FLUSH)
        gauge(registry, listed.COUNTERS_EPOCH).set(epoch)
        gauge(registry, listed.COUNTERS_CATALOG).set(catalog_version)

    def wrote(self, changes: Changes, seconds: float) -> None:
        """A transaction was committed."""
        self.events.inc(changes.counted)
        self.duplicates.inc(changes.duplicates)
        self.rejected.inc(changes.rejected)
        for crossing in changes.crossings:
            is_hard = isinstance(crossing, QuotaExceeded)
            self.crossings.labels("hard_limit" if is_hard else "threshold").inc()
        self.flushes.observe(seconds)

    def watch(self, lags: Callable[[], Iterable[PartitionLag]]) -> None:
        """Also tell the lag of each partition, asked for when the metrics are."""
        self.registry.register(_Lags(lags))

    def exposition(self) -> str:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry).decode()


class _Lags(Collector):
    def __init__(self, lags: Callable[[], Iterable[PartitionLag]]) -> None:
        self._lags = lags

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Lag in records and in seconds, by partition."""
        records = gauge_family(listed.COUNTERS_LAG)
        seconds = gauge_family(listed.COUNTERS_LAG_SECONDS)
        for lag in self._lags():
            records.add_metric([str(lag.partition)], lag.records)
            seconds.add_metric([str(lag.partition)], lag.seconds)
        return [records, seconds]
