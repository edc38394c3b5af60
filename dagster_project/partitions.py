"""Months as partitions, in UTC: `2026-06`. Tenants are rows, never partitions."""

from datetime import timedelta

import dagster as dg

FIRST_MONTH = "2020-01"

FIRST_OF_MONTH_06_00 = dg.FreshnessPolicy.cron(
    deadline_cron="0 6 1 * *", lower_bound_delta=timedelta(hours=6), timezone="UTC"
)
"""Made between midnight and six o'clock on the 1st."""

billing_periods = dg.MonthlyPartitionsDefinition(
    start_date=FIRST_MONTH, fmt="%Y-%m", timezone="UTC"
)
"""Months that are over. A backfill is a run for each: no asset has a policy that says otherwise, so
each month has its own gate, its own failure and its own record."""

open_periods = dg.MonthlyPartitionsDefinition(
    start_date=FIRST_MONTH, fmt="%Y-%m", timezone="UTC", end_offset=1
)
"""Months that are over, and the running one: for previews only."""
