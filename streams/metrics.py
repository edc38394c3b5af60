"""What the counters tell a monitoring system: Prometheus metrics in a registry of their own."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.quota import QuotaExceeded
from streams.lag import PartitionLag
from streams.shard import Changes

_FLUSH_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class CounterMetrics:
    """Figures of one worker since its start; only what was written durably is in them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.events = _counter(registry, "events", "Events counted.")
        self.duplicates = _counter(registry, "duplicates", "Repeats that were not counted.")
        self.rejected = _counter(registry, "rejected", "Elements that were not admitted.")
        self.crossings = Counter(
            "countinghouse_counters_crossings",
            "Thresholds and hard limits announced.",
            ["kind"],
            registry=registry,
        )
        self.holes = _counter(
            registry,
            "holes",
            "Fetches that did not start where the last one ended, looked at again.",
        )
        self.reloads = _counter(registry, "reloads", "Partitions loaded, the first time included.")
        self.fenced = _counter(registry, "fenced", "Partitions lost to another owner while held.")
        self.flushes = Histogram(
            "countinghouse_counters_flush_seconds",
            "Duration of a transaction.",
            buckets=_FLUSH_BUCKETS,
            registry=registry,
        )

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
        name = "countinghouse_counters_lag"
        records = GaugeMetricFamily(f"{name}_records", "Not yet counted.", labels=["partition"])
        seconds = GaugeMetricFamily(f"{name}_seconds", "Age of those.", labels=["partition"])
        for lag in self._lags():
            records.add_metric([str(lag.partition)], lag.records)
            seconds.add_metric([str(lag.partition)], lag.seconds)
        return [records, seconds]


def _counter(registry: CollectorRegistry, name: str, meaning: str) -> Counter:
    return Counter(f"countinghouse_counters_{name}", meaning, registry=registry)
