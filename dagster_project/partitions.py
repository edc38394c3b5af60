"""Months as partitions, in UTC: `2026-06`. Tenants are rows, never partitions."""

import dagster as dg

FIRST_MONTH = "2020-01"

billing_periods = dg.MonthlyPartitionsDefinition(
    start_date=FIRST_MONTH, fmt="%Y-%m", timezone="UTC"
)
"""Months that are over."""

open_periods = dg.MonthlyPartitionsDefinition(
    start_date=FIRST_MONTH, fmt="%Y-%m", timezone="UTC", end_offset=1
)
"""Months that are over, and the running one: for previews only."""
