"""Usage by day, kept for pages: the running month and the one before, again every hour."""

from datetime import datetime

import dagster as dg

from dagster_project import sources
from dagster_project.automation import SCHEDULES_RUN, tags
from dagster_project.glances import month_before
from dagster_project.ownership import METERING, USAGE_GROUP
from dagster_project.partitions import open_periods
from dagster_project.resources import WarehouseResource, now_ms
from schemas.period import BillingPeriod, format_instant
from stores.warehouse.by_day import fill_by_day

EVERY_HOUR = "20 * * * *"


@dg.asset(
    partitions_def=open_periods,
    deps=[sources.metered_usage],
    group_name=USAGE_GROUP,
    owners=METERING,
    kinds={"clickhouse"},
)
def usage_by_day(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource
) -> dg.MaterializeResult[None]:
    """The month's usage by day, tenant, meter and model in the table `usage_by_day`, as of now."""
    month, filled_ms = context.partition_key, now_ms()
    with warehouse.connected() as client:
        rows = fill_by_day(client, BillingPeriod.month(month), filled_ms)
    shown = {"period": month, "rows": rows, "as of": format_instant(filled_ms)}
    return dg.MaterializeResult(metadata=shown)


keep_usage_by_day = dg.define_asset_job(
    "keep_usage_by_day",
    selection=[usage_by_day],
    description="Add up a month by day for pages and charts.",
)


@dg.schedule(
    job=keep_usage_by_day,
    cron_schedule=EVERY_HOUR,
    execution_timezone="UTC",
    default_status=SCHEDULES_RUN,
)
def every_hour(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """The running month, and the one before while its usage may still come late."""
    return requests(context.scheduled_execution_time)


def requests(scheduled: datetime) -> list[dg.RunRequest]:
    """A run for each month that is kept, once for a tick."""
    month = f"{scheduled:%Y-%m}"
    return [
        dg.RunRequest(
            run_key=f"by day {each} {scheduled:%Y-%m-%dT%H}",
            partition_key=each,
            tags=tags(each, "by day"),
        )
        for each in (month, month_before(month))
    ]
