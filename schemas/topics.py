"""The topics: names, keys, kinds, and who writes them. `docs/topics.md` is made from this table."""

import re
from dataclasses import dataclass, replace
from typing import Literal

USAGE_EVENTS = "usage.events"
USAGE_REJECTED = "usage.rejected"
ENTITLEMENTS = "entitlements"
USAGE_ALERTS = "usage.alerts"
QUOTA_EXCEEDED = "quota.exceeded"
QUOTA_STATE = "quota.state"
BILLING_EVENTS = "billing.events"

LANDING_GROUP = "countinghouse-landing"
"""Landing's consumer group: its offsets say how far usage has landed."""

_GENERATION = re.compile(r"(?P<topic>.+)\.v(?P<generation>[1-9]\d*)")

SENT_AT_HEADER = "sent-at"
"""Header of `usage.events`: the producer's send time in epoch milliseconds, as ASCII digits."""

COMPACTION = {
    "segment.ms": "3600000",
    "segment.bytes": "67108864",
    "min.cleanable.dirty.ratio": "0.2",
}
"""Settings of compacted topics. The segment that is written to is never compacted, and by default
it is a week's: whoever takes over a partition would read every row that was written since."""

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `co_partitioned` topics have equal partition counts: a tenant has one partition."""

    name: str
    key: str
    value: str
    kind: Literal["log", "compacted"]
    writer: str
    meaning: str
    co_partitioned: bool = False
    retention_days: int | None = None
    append_time: bool = False

    def of_generation(self, generation: int) -> "Topic":
        """The topic as a generation names it; only topics with tenants' partitions have others."""
        return replace(self, name=named(self.name, generation)) if self.co_partitioned else self

    def config(self) -> dict[str, str]:
        """The broker's settings of this topic."""
        if self.kind == "compacted":
            settings = {"cleanup.policy": "compact", **COMPACTION}
        else:
            days = self.retention_days
            kept_ms = days * _DAY_MS if days is not None else -1
            settings = {"cleanup.policy": "delete", "retention.ms": str(kept_ms)}
        if self.append_time:
            settings["message.timestamp.type"] = "LogAppendTime"
        return settings


TOPICS = (
    Topic(
        USAGE_EVENTS,
        key="tenant",
        value="CloudEvents 1.0 JSON, one event or an array of them (schemas.event.UsageEvent)",
        kind="log",
        writer="your services",
        meaning="Usage as it happened. The key must equal each event's subject.",
        co_partitioned=True,
        retention_days=35,
        append_time=True,
    ),
    Topic(
        USAGE_REJECTED,
        key="tenant or none",
        value="the element's bytes; headers topic, partition, offset, item, reason, detail",
        kind="log",
        writer="landing",
        meaning="Rejected elements, each once for a read_committed reader.",
        retention_days=35,
    ),
    Topic(
        ENTITLEMENTS,
        key="tenant",
        value="schemas.entitlement.Entitlements",
        kind="compacted",
        writer="relay",
        meaning="What a tenant may use, in absolute numbers, now and later in the period.",
        co_partitioned=True,
    ),
    Topic(
        USAGE_ALERTS,
        key="tenant",
        value="schemas.quota.UsageAlert",
        kind="log",
        writer="counters",
        meaning="A threshold of the pool was reached.",
        co_partitioned=True,
        retention_days=90,
    ),
    Topic(
        QUOTA_EXCEEDED,
        key="tenant",
        value="schemas.quota.QuotaExceeded",
        kind="log",
        writer="counters",
        meaning="The hard limit was reached; announced exactly once for a read_committed reader.",
        co_partitioned=True,
        retention_days=90,
    ),
    Topic(
        QUOTA_STATE,
        key="JSON array of tenant, meter, window kind, window start",
        value="schemas.quota.QuotaState; keys that begin with a zero byte are internal",
        kind="compacted",
        writer="counters",
        meaning="Every counter and its decision; a gate can hold all of them in memory.",
        co_partitioned=True,
    ),
    Topic(
        BILLING_EVENTS,
        key="tenant",
        value="JSON: id, type, tenant, at, data",
        kind="log",
        writer="relay",
        meaning="What happened to subscriptions, invoices (voids and notes included) and payments.",
        retention_days=90,
    ),
)


def named(topic: str, generation: int) -> str:
    """A topic's name in a generation: the first has the plain names, later ones end in .v2, …"""
    return topic if generation == 1 else f"{topic}.v{generation}"


def generation_of(topic: str) -> int:
    """The generation that a topic's name tells."""
    found = _GENERATION.fullmatch(topic)
    return int(found["generation"]) if found else 1


def topics_of(generation: int) -> tuple[Topic, ...]:
    """All topics as a generation has them."""
    return tuple(topic.of_generation(generation) for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The topics that belong together in a generation: a tenant has one partition in all."""

    usage: str = USAGE_EVENTS
    entitlements: str = ENTITLEMENTS
    state: str = QUOTA_STATE
    alerts: str = USAGE_ALERTS
    exceeded: str = QUOTA_EXCEEDED

    @classmethod
    def of(cls, generation: int) -> "TopicNames":
        """Those of a generation."""
        first = cls()
        return cls(
            usage=named(first.usage, generation),
            entitlements=named(first.entitlements, generation),
            state=named(first.state, generation),
            alerts=named(first.alerts, generation),
            exceeded=named(first.exceeded, generation),
        )
