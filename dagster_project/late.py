"""Usage that came after its month was closed: who, how late, and what the next close corrects.

It is looked at here and corrected there; nothing is written, and a closed month stays as it is.
"""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from dagster_project import glances, metadata, sources
from dagster_project.automation import SENSORS_RUN, tags
from dagster_project.invoices import finalized_invoices
from dagster_project.ownership import BILLING, BILLING_GROUP
from dagster_project.partitions import billing_periods
from dagster_project.resources import (
    READS_ONLY,
    LedgerResource,
    LogResource,
    WarehouseResource,
)
from pipelines.corrections.late_listing import late_rows
from pipelines.corrections.late_usage import corrections
from pipelines.invoices.books import Books
from schemas.closing import Closing, ClosingState
from schemas.errors import BillingError
from schemas.late_usage import Correction, LateRow
from schemas.money import Money
from schemas.period import format_instant

MONTHS_LOOKED_AT = 3
"""Closed months that the sensor asks for: what is older than an event may be is not admitted."""
HOUR_SECONDS = 3_600
_MINUTE_MS = timedelta(minutes=1) // timedelta(milliseconds=1)


@dg.asset(
    partitions_def=billing_periods,
    deps=[finalized_invoices, sources.metered_usage],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"clickhouse", "duckdb"},
)
def late_usage(
    context: dg.AssetExecutionContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.MaterializeResult[None]:
    """Who used what of a closed month after its cut, how late it came, and what it changes.

    The next month's close corrects it, by a line or a note as the price list says.
    """
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
        closing, landed = Books(month, books).closing, usage_log.landed()
        rows = late_rows(closing, books, usage, landed)
        made = {each.month for each in books.opened_closings()}
        is_closed = closing.state is ClosingState.CLOSED
        owed = corrections([closing], made, landed, books, usage) if is_closed else []
    return dg.MaterializeResult(
        metadata={
            "period": month,
            "tenants": len({row.tenant for row in rows}),
            "events": sum(row.own_events for row in rows),
            "late usage": metadata.table(_late(rows)),
            "to be corrected": metadata.table(_owed(owed)),
            **metadata.totals(_sums(owed)),
        }
    )


look_at_late_usage = dg.define_asset_job(
    "look_at_late_usage",
    selection=[late_usage],
    description="Say who used what after a month was closed, and what the next close corrects.",
    tags=READS_ONLY,
)


@dg.sensor(
    job=look_at_late_usage,
    minimum_interval_seconds=HOUR_SECONDS,
    default_status=SENSORS_RUN,
)
def usage_came_late(
    ledger: LedgerResource, warehouse: WarehouseResource, log: LogResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Look at a closed month again when more of its usage has come after its cut."""
    try:
        with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
            closed = [c for c in books.opened_closings() if c.state is ClosingState.CLOSED]
            latest = sorted(closed, key=lambda each: each.month)[-MONTHS_LOOKED_AT:]
            landed = usage_log.landed()
            asked = [_request(it, late_rows(it, books, usage, landed)) for it in latest]
    except BillingError as reason:
        return dg.SkipReason(str(reason))
    found = [request for request in asked if request]
    months = ", ".join(each.month for each in latest) or "no month is closed"
    return found or dg.SkipReason(f"nothing has come late: {months}")


def _request(closing: Closing, rows: Sequence[LateRow]) -> dg.RunRequest | None:
    """A run for as many late events as there are now: more of them are another run."""
    if not rows:
        return None
    month, events = closing.month, sum(row.own_events for row in rows)
    key = f"late {month} {events}"
    return dg.RunRequest(run_key=key, partition_key=month, tags=tags(month, "late usage"))


def _late(rows: Sequence[LateRow]) -> list[metadata.Row]:
    ordered = sorted(rows, key=lambda row: (-abs(row.quantity_micro), row.tenant, row.meter))
    return [
        {
            "tenant": row.tenant,
            "meter": row.meter,
            "events": f"{row.events:,}",
            "quantity": glances.quantity(row.quantity_micro),
            "longest on its way": _duration(row.longest_ms),
            "last came": format_instant(row.last_arrived_ms),
        }
        for row in ordered[: metadata.MOST_ROWS]
    ]


def _duration(length_ms: int) -> str:
    """Days, hours and minutes: 1 d 2 h 3 min."""
    hours, minutes = divmod(length_ms // _MINUTE_MS, 60)
    days, hours = divmod(hours, 24)
    told = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{count} {unit}" for count, unit in told if count) or "under a minute"


def _owed(found: Sequence[Correction]) -> list[metadata.Row]:
    ordered = sorted(found, key=lambda each: (-abs(each.amount_minor), each.tenant))
    return [
        {
            "tenant": each.tenant,
            "invoice": each.invoice,
            "difference": each.carried_on or str(Money(each.amount_minor, each.currency)),
        }
        for each in ordered[: metadata.MOST_ROWS]
    ]


def _sums(found: Sequence[Correction]) -> dict[str, int]:
    currencies = sorted({each.currency for each in found})
    return {
        currency: sum(each.amount_minor for each in found if each.currency == currency)
        for currency in currencies
    }
