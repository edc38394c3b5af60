"""What a worker of counters is told at its start: addresses, topics, catalogue, limits."""

from dataclasses import dataclass
from pathlib import Path

from aiokafka import TopicPartition

from pipelines.admission.admission import Admission
from schemas import topics
from schemas.catalog import Catalog
from stores.kafka import KafkaAccess
from streams.counting.shard import Shard
from streams.health.health import LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterTopics:
    """The topics that counters read and write; all have equal partition counts."""

    usage: str = topics.USAGE_EVENTS
    entitlements: str = topics.ENTITLEMENTS
    state: str = topics.QUOTA_STATE
    alerts: str = topics.USAGE_ALERTS
    exceeded: str = topics.QUOTA_EXCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersConfig:
    """A worker's settings. Equal for all workers of a group, its port and folder apart.

    `epoch` is the life of the usage topic that offsets refer to, `partitions` how many it has.
    `max_age_ms` and `max_lead_ms` None are no limit. Offsets in `dedupe_window` are a partition's.
    """

    kafka: KafkaAccess
    epoch: int
    catalog_version: int
    catalog: Catalog
    partitions: int
    dedupe_window: int
    max_age_ms: int | None
    max_lead_ms: int | None
    max_bytes: int
    flush_interval_s: float
    web_port: int
    data_dir: Path
    host: str = LOOPBACK
    group_id: str = "countinghouse-counters"
    topics: CounterTopics = CounterTopics()
    session_timeout_ms: int = 10_000

    def shard(self, partition: int) -> Shard:
        """A partition's shard, without memory."""
        limits = self.max_age_ms, self.max_lead_ms, self.max_bytes
        admission = Admission(self.catalog, *limits, self.partitions)
        return Shard(
            self.catalog,
            admission,
            partition=partition,
            dedupe_window=self.dedupe_window,
            epoch=self.epoch,
            max_age_ms=self.max_age_ms,
        )

    def transactional_id(self, partition: int) -> str:
        """The lease of a partition: whoever opens it last fences all others."""
        return f"{self.group_id}-{partition}"

    def usage(self, partition: int) -> TopicPartition:
        """A partition of the usage topic."""
        return TopicPartition(self.topics.usage, partition)
