"""What lies upstream of a month and is written by others: topics, tables, counters."""

import dagster as dg

GROUP = "usage"

usage_events = dg.AssetSpec(
    "usage_events_topic",
    group_name=GROUP,
    kinds={"kafka"},
    description="The topic `usage.events`: usage as services sent it, in CloudEvents.",
)
counters = dg.AssetSpec(
    "usage_counters",
    deps=[usage_events],
    group_name=GROUP,
    kinds={"kafka", "python"},
    description="The stream's counters, exact for restarts; their log is the topic `quota.state`.",
)
raw_usage = dg.AssetSpec(
    "usage_events_table",
    deps=[usage_events],
    group_name=GROUP,
    kinds={"clickhouse"},
    description="Every delivery of an event as it came.",
)
metered_usage = dg.AssetSpec(
    "metered_usage_table",
    deps=[usage_events],
    group_name=GROUP,
    kinds={"clickhouse"},
    description="One row for each event and meter; the first delivery counts.",
)
counters_table = dg.AssetSpec(
    "counters_table",
    deps=[counters],
    group_name=GROUP,
    kinds={"clickhouse"},
    description="The counters, landed with the position that each stands for.",
)

SOURCES = (usage_events, counters, raw_usage, metered_usage, counters_table)
