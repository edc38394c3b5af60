"""The month's usage: the cut through the log, and what each tenant used before it."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dagster_project import glances, metadata, sources
from dagster_project.code_version import CODE_VERSION
from dagster_project.environment import Environment
from dagster_project.ownership import BILLING, BILLING_GROUP
from dagster_project.partitions import billing_periods, month_check
from dagster_project.resources import (
    LedgerResource,
    LogResource,
    WarehouseResource,
    now_ms,
)
from pipelines.checks.month_comparison import compare_counters
from pipelines.checks.reconciliation import are_too_many
from pipelines.close.closing import aggregate_usage
from pipelines.close.opening import open_closing
from pipelines.columns.ordering import in_order
from pipelines.invoices.books import Books
from pipelines.plans.plan_records import record_due_transitions
from schemas.closing import CounterComparison
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import format_micro

_ORDER = ("tenant", "meter", "window_kind", "window_start_ms")


class ClosingConfig(dg.Config):
    """How a month is closed."""

    without_counters: str = Field(
        "", description="Close without comparing the counters, for this reason; it is recorded."
    )


@dg.asset(
    partitions_def=billing_periods,
    deps=[sources.metered_usage, sources.counters_table, sources.raw_usage],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"clickhouse"},
    code_version=CODE_VERSION,
)
def monthly_usage(
    context: dg.AssetExecutionContext,
    config: ClosingConfig,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.MaterializeResult[None]:
    """Usage by tenant and meter up to the closing's cut, taken into the ledger.

    Before that, what was scheduled for the month's end is recorded, whoever was awake.
    """
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
        record_due_transitions(books, now_ms())
        closing = open_closing(
            month,
            books,
            usage_log,
            usage,
            now_ms,
            code_version=CODE_VERSION,
            grace_ms=Environment().close_grace_ms,
            without_counters=config.without_counters or None,
        )
        report = aggregate_usage(month, books, usage)
        shown = metadata.of_step(report) | glances.of_usage(books, month)
    shown |= {"cut": closing.vector.to_json(), "opened": format_instant(closing.opened_ms)}
    return dg.MaterializeResult(metadata=shown)


@month_check(monthly_usage, blocking=True)
def period_is_complete(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource, log: LogResource
) -> dg.AssetCheckResult:
    """Everything before the closing's cut is in the warehouse."""
    with ledger.open() as books:
        record = Books(context.partition_key, books)
        if record.is_closed:
            return metadata.verdict([], "the month is closed")
        with log.open(books) as usage_log:
            behind = usage_log.landed().behind(record.closing.vector)
        records = sum(record.closing.vector.values())
    findings = [f"partition {place}: {n:,} records behind" for (_, place), n in behind.items()]
    return metadata.verdict(findings, f"all of {records:,} records before the cut are landed")


@month_check(monthly_usage, blocking=True)
def counters_match_warehouse(
    context: dg.AssetCheckExecutionContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.AssetCheckResult:
    """The stream's counters and the warehouse agree, but for repeats that counters cannot know.

    A difference holds its tenant's invoice back; it stops the run when too many tenants differ.
    When counters were made anew re-execute from failure; when the warehouse was mended, all.
    """
    with ledger.open() as books, warehouse.open() as usage:
        record = Books(context.partition_key, books)
        reason = record.closing.without_counters
        if reason is not None:
            warn = dg.AssetCheckSeverity.WARN
            return metadata.verdict([f"counters were not compared: {reason}"], "", warn)
        if record.is_closed:
            return metadata.verdict([], "the month is closed; its comparison is in the ledger")
        with log.open(books) as usage_log:
            comparisons = compare_counters(record, usage, usage_log)
        return _compared(record, comparisons, Environment().max_held)


def _compared(record: Books, comparisons: pa.Table, max_held: float) -> dg.AssetCheckResult:
    due = pc.add(comparisons["warehouse_micro"], comparisons["beyond_window_micro"])
    is_other = pc.not_equal(comparisons["counter_micro"], due)
    others = in_order(comparisons.filter(is_other), _ORDER)
    differing = [CounterComparison(**row) for row in others.to_pylist()]
    tenants = {each.tenant for each in differing}
    is_grave = are_too_many(len(tenants), len(record.subscribed), max_held)
    return metadata.verdict(
        [difference(each) for each in differing],
        f"{len(comparisons):,} counters agree with the warehouse",
        dg.AssetCheckSeverity.ERROR if is_grave else dg.AssetCheckSeverity.WARN,
        {
            "counters": len(comparisons),
            "differing_tenants": len(tenants),
            "beyond the window": format_micro(
                pc.sum(comparisons["beyond_window_micro"]).as_py() or 0
            ),
        },
    )


def difference(comparison: CounterComparison) -> str:
    """A difference in words."""
    return (
        f"{comparison.tenant}, {comparison.meter}{_window(comparison)}: the counter says "
        f"{format_micro(comparison.counter_micro)}, the warehouse "
        f"{format_micro(comparison.warehouse_micro)} and "
        f"{format_micro(comparison.beyond_window_micro)} in late repeats"
    )


def _window(comparison: CounterComparison) -> str:
    """Which window it is, unless it is the month itself."""
    kind, start_ms = comparison.window_kind, comparison.window_start_ms
    if kind == "billing_period" and BillingPeriod.month_of(start_ms).start_ms == start_ms:
        return ""
    return f" in the {kind.replace('_', ' ')} from {format_instant(start_ms)}"
