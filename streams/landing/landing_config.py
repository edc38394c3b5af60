"""What landing is told at its start: addresses, topics, the price list, limits."""

from dataclasses import dataclass

from schemas.catalog import Catalog
from schemas.topics import LANDING_GROUP, QUOTA_STATE, USAGE_EVENTS
from stores.kafka import KafkaAccess
from streams.health.health import LOOPBACK


@dataclass(frozen=True, slots=True)
class LandingConfig:
    """What landing needs. `epoch` and `partitions` are the live topic's, limits milliseconds."""

    kafka: KafkaAccess
    clickhouse_url: str
    epoch: int
    catalog_version: int
    catalog: Catalog
    partitions: int
    max_age_ms: int | None
    max_lead_ms: int | None
    max_bytes: int
    batch_size: int = 50_000
    port: int = 18083
    host: str = LOOPBACK
    group: str = LANDING_GROUP
    usage_topic: str = USAGE_EVENTS
    state_topic: str = QUOTA_STATE

    def of_consumer(self) -> dict[str, object]:
        """The Kafka client's settings: only what was committed is read; we commit ourselves."""
        return {
            **self.kafka.confluent(),
            "group.id": self.group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "range",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_500,
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 10,  # by default a full queue rests for a second
            "queued.max.messages.kbytes": 65_536,
        }
