"""What lies around a month and is written by others: topics, tables, counters."""

from collections.abc import Sequence

import dagster as dg

from dagster_project.ownership import BILLING, BILLING_GROUP, METERING, USAGE_GROUP
from schemas import topics


def _topic(name: str, *deps: dg.AssetSpec | str, owners: Sequence[str] = METERING) -> dg.AssetSpec:
    """A topic as the lineage shows it, described by the table of topics."""
    [topic] = (each for each in topics.TOPICS if each.name == name)
    return dg.AssetSpec(
        f"{name.replace('.', '_')}_topic",
        deps=deps,
        group_name=BILLING_GROUP if owners is BILLING else USAGE_GROUP,
        owners=owners,
        kinds={"kafka"},
        description=f"The topic `{name}`, written by {topic.writer}. {topic.meaning}",
    )


def _table(name: str, description: str, *deps: dg.AssetSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=deps,
        group_name=USAGE_GROUP,
        owners=METERING,
        kinds={"clickhouse"},
        description=description,
    )


usage_events = _topic(topics.USAGE_EVENTS)
entitlements = _topic(topics.ENTITLEMENTS)
rejected = _topic(topics.USAGE_REJECTED, usage_events)
counters = dg.AssetSpec(
    "usage_counters",
    deps=[usage_events, entitlements],
    group_name=USAGE_GROUP,
    owners=METERING,
    kinds={"kafka", "python"},
    description="The stream's counters, exact for restarts; their log is the topic `quota.state`.",
)
quota_state = _topic(topics.QUOTA_STATE, counters)
quota_exceeded = _topic(topics.QUOTA_EXCEEDED, counters)
alerts = _topic(topics.USAGE_ALERTS, counters)
raw_usage = _table(
    "usage_events_table", "Every delivery of an event as it came, resends too.", usage_events
)
metered_usage = _table(
    "metered_usage_table",
    "One row for each event and meter; the first delivery counts. Months are billed from it.",
    usage_events,
)
rejected_table = _table(
    "rejected_table", "What was refused and why; it is billed to nobody.", rejected
)
counters_table = _table(
    "counters_table", "The counters, landed with the position that each stands for.", quota_state
)
billing_events = _topic(
    topics.BILLING_EVENTS, "finalized_invoices", "payment_collection", owners=BILLING
)

SOURCES = (
    usage_events,
    entitlements,
    rejected,
    counters,
    quota_state,
    quota_exceeded,
    alerts,
    raw_usage,
    metered_usage,
    rejected_table,
    counters_table,
    billing_events,
)
