"""Who answers for what in Dagster: owners and groups, as the lineage shows them."""

BILLING = ["team:billing"]
"""The month's chain: what is billed, and what is collected of it."""
METERING = ["team:metering"]
"""What comes before a month: topics, counters, the warehouse."""

USAGE_GROUP = "usage"
BILLING_GROUP = "billing"
PREVIEW_GROUP = "preview"
