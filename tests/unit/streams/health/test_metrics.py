"""What the counters tell a monitoring system."""

from streams.health.lag import PartitionLag
from streams.health.metrics import CounterMetrics
from tests.unit.streams.builders import a_record, a_shard, an_event


def test_figures_are_those_of_what_was_written() -> None:
    metrics = CounterMetrics()
    shard = a_shard()
    shard.apply([a_record(0, an_event("a", 100)), a_record(1, an_event("a", 100))])
    metrics.wrote(shard.changes(), 0.004)
    lines = metrics.exposition().splitlines()
    assert "countinghouse_counters_events_total 1.0" in lines
    assert "countinghouse_counters_duplicates_total 1.0" in lines
    assert 'countinghouse_counters_crossings_total{kind="hard_limit"} 1.0' in lines
    assert 'countinghouse_counters_crossings_total{kind="threshold"} 2.0' in lines
    assert 'countinghouse_counters_flush_seconds_bucket{le="0.005"} 1.0' in lines


def test_lag_is_told_by_partition() -> None:
    metrics = CounterMetrics()
    metrics.watch(lambda: [PartitionLag(3, 10, 5, 1.5, is_moving=True)])
    lines = metrics.exposition().splitlines()
    assert 'countinghouse_counters_lag_records{partition="3"} 5.0' in lines
    assert 'countinghouse_counters_lag_seconds{partition="3"} 1.5' in lines
