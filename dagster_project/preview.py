"""What the running month costs so far and where it is going; nothing follows from it."""

from collections import Counter
from typing import Any

import dagster as dg

from dagster_project import metadata, sources
from dagster_project.ownership import BILLING, PREVIEW_GROUP
from dagster_project.partitions import open_periods
from dagster_project.resources import LedgerResource, LogResource, WarehouseResource, now_ms
from pipelines.reports import preview


@dg.asset(
    partitions_def=open_periods,
    deps=[sources.metered_usage],
    group_name=PREVIEW_GROUP,
    owners=BILLING,
    kinds={"duckdb"},
)
def upcoming_invoices(
    context: dg.AssetExecutionContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.MaterializeResult[None]:
    """Next invoices: exact with the usage that has landed so far, and projected to their end."""
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
        found = preview.upcoming_invoices(month, books, usage, usage_log.landed(), now_ms())
    rows: list[dict[str, str | int]] = [
        {"tenant": each.tenant, "so far": str(each.so_far), "projected": str(each.projected)}
        for each in found[: metadata.MOST_ROWS]
    ]
    shown = {"period": month, "tenants": len(found), "largest": metadata.table(rows)}
    return dg.MaterializeResult(metadata={**shown, **_totals(found)})


def _totals(found: list[preview.Upcoming]) -> dict[str, Any]:
    so_far: Counter[str] = Counter()
    projected: Counter[str] = Counter()
    for each in found:
        so_far[each.so_far.currency] += each.so_far.amount_minor
        projected[each.projected.currency] += each.projected.amount_minor
    guessed = metadata.totals(dict(sorted(projected.items())))
    return metadata.totals(dict(sorted(so_far.items()))) | {
        name.replace("total", "projected", 1): value for name, value in guessed.items()
    }
