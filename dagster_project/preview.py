"""What the running month would cost if it ended now; nothing is written, nothing comes after it."""

import dagster as dg

from dagster_project import metadata
from dagster_project.partitions import open_periods
from dagster_project.resources import LedgerResource, LogResource, WarehouseResource
from pipelines.preview import preview_totals
from schemas.money import Money


@dg.asset(partitions_def=open_periods, group_name="preview", kinds={"duckdb"})
def upcoming_invoices(
    context: dg.AssetExecutionContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.MaterializeResult[None]:
    """Totals by tenant with the usage that has landed so far."""
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
        totals = preview_totals(month, books, usage, usage_log.landed())
    rows: list[dict[str, str | int]] = [
        {"tenant": tenant, "total": str(total)} for tenant, total in totals[: metadata.MOST_ROWS]
    ]
    shown = {"period": month, "tenants": len(totals), "largest": metadata.table(rows)}
    return dg.MaterializeResult(metadata={**shown, **metadata.totals(_sums(totals))})


def _sums(totals: list[tuple[str, Money]]) -> dict[str, int]:
    currencies = sorted({total.currency for _, total in totals})
    return {
        currency: sum(t.amount_minor for _, t in totals if t.currency == currency)
        for currency in currencies
    }
