"""Months as partitions, in UTC: `2026-06`. Tenants are rows, never partitions."""

import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg

FIRST_MONTH = "2020-01"

billing_periods = dg.MonthlyPartitionsDefinition(
    start_date=FIRST_MONTH, fmt="%Y-%m", timezone="UTC"
)
"""Months that are over. A backfill is a run for each: no asset has a policy that says otherwise, so
each month has its own gate, its own failure and its own record."""

open_periods = dg.MonthlyPartitionsDefinition(
    start_date=FIRST_MONTH, fmt="%Y-%m", timezone="UTC", end_offset=1
)
"""Months that are over, and the running one: for previews only."""


def month_check(
    asset: dg.AssetsDefinition, *, blocking: bool = False
) -> Callable[[Callable[..., Any]], dg.AssetChecksDefinition]:
    """An asset's check whose results are each of a month: after a backfill every one is there."""

    def decorate(function: Callable[..., Any]) -> dg.AssetChecksDefinition:
        with warnings.catch_warnings():
            # Dagster may still change how checks have partitions; its version is locked.
            warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec")
            of_month = dg.asset_check(
                asset=asset, blocking=blocking, partitions_def=billing_periods
            )
            return of_month(function)

    return decorate
