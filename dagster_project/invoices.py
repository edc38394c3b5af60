"""The month's invoices: drafts, their reconciliation, and the numbered final ones."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project import glances, metadata, unbilled
from dagster_project.charges import prorations
from dagster_project.code_version import CODE_VERSION
from dagster_project.environment import Environment
from dagster_project.ownership import BILLING, BILLING_GROUP
from dagster_project.partitions import billing_periods, month_check
from dagster_project.resources import LedgerResource, LogResource, WarehouseResource, now_ms
from pipelines.checks import adjustment_checks, invoice_checks
from pipelines.checks.reconciliation import rows_of_table
from pipelines.close.closing import draft_invoices, finalize, reconcile
from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from schemas.tables import RECONCILIATION_COLUMNS


@dg.asset(
    partitions_def=billing_periods,
    deps=[prorations],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"sql"},
    code_version=CODE_VERSION,
)
def invoices(
    context: dg.AssetExecutionContext, ledger: LedgerResource
) -> dg.MaterializeResult[None]:
    """A draft for every subscription of the month; finalized invoices are left alone."""
    with ledger.open() as books:
        report = draft_invoices(context.partition_key, books)
        shown = glances.of_invoices(books, context.partition_key)
    return dg.MaterializeResult(metadata=shown | metadata.of_step(report))


@month_check(invoices, blocking=True)
def lines_sum_to_totals(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Every invoice has the ledger's lines, and totals are their exact sums, in each currency."""
    with ledger.open() as books:
        record = Books(context.partition_key, books)
        findings = invoice_checks.lines_sum_to_totals(record)
        totals = metadata.totals(invoice_checks.totals_by_currency(record.live_heads))
        passed = f"{record.live_heads.num_rows:,} invoices add up"
        return metadata.verdict(findings, passed, metadata=totals)


@month_check(invoices, blocking=True)
def adjustments_hold(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Limits are kept, discounts leave nothing below zero, taxes are their rates, credits last."""
    with ledger.open() as books:
        record = Books(context.partition_key, books)
        findings = adjustment_checks.adjustments_hold(record)
        return metadata.verdict(findings, f"{record.adjusting:,} lines follow from fees and usage")


@month_check(invoices, blocking=True)
def one_invoice_per_subscription(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """No subscription of the month is without an invoice, and no invoice without one."""
    with ledger.open() as books:
        record = Books(context.partition_key, books)
        findings = invoice_checks.one_invoice_per_subscription(record)
        passed = f"{len(record.subscribed):,} subscriptions have one invoice each"
        return metadata.verdict(findings, passed)


@month_check(invoices)
def no_surprising_change(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Totals beside those of the month before; worth a look, no reason to stop."""
    month = context.partition_key
    before = glances.month_before(month)
    with ledger.open() as books:
        previous = Books(before, books)
        findings = invoice_checks.no_surprising_change(Books(month, books), previous)
        is_there = previous.live_heads.num_rows > 0
    near = f"no total is far from that of {before}"
    passed = near if is_there else f"there are no invoices of {before} to compare with"
    return metadata.verdict(findings, passed, dg.AssetCheckSeverity.WARN)


@dg.asset(
    partitions_def=billing_periods,
    deps=[invoices],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"clickhouse", "sql"},
    code_version=CODE_VERSION,
)
def reconciliation(
    context: dg.AssetExecutionContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.MaterializeResult[None]:
    """Counter, warehouse and invoice of each tenant compared; who differs is held."""
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
        report = reconcile(month, books, usage, usage_log, max_held=Environment().max_held)
        shown = {**glances.of_held(books, month), **unbilled.of_month(books, month)}
        compared = as_table(books.reconciliation(month), RECONCILIATION_COLUMNS)
    shown["figures"] = metadata.table(_as_rows(compared))
    return dg.MaterializeResult(metadata=metadata.of_step(report) | shown)


@dg.asset(
    partitions_def=billing_periods,
    deps=[reconciliation],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"sql"},
    code_version=CODE_VERSION,
)
def finalized_invoices(
    context: dg.AssetExecutionContext, ledger: LedgerResource
) -> dg.MaterializeResult[None]:
    """Drafts that nothing holds back, numbered for ever; the month is closed with them."""
    month = context.partition_key
    with ledger.open() as books:
        if Environment().approval:
            books.ask_for_approval(month)
        report = finalize(month, books, now_ms, seller=Environment().seller)
        shown = {**glances.of_invoices(books, month), **glances.of_numbers(books, month)}
        shown |= glances.of_states(books, month) | glances.of_held(books, month)
    return dg.MaterializeResult(metadata=shown | metadata.of_step(report))


def _as_rows(compared: pa.Table) -> list[metadata.Row]:
    """The rows of an operator's table: held first, then the most used."""
    marked = compared.append_column("goes_on", pc.is_null(compared["held"]))
    order = [("goes_on", "ascending"), ("warehouse_micro", "descending")]
    first = marked.sort_by(order).slice(0, metadata.MOST_ROWS).drop_columns("goes_on")
    return [
        {
            "tenant": row.tenant,
            "meter": row.meter,
            "counter": "" if row.counter_micro is None else glances.quantity(row.counter_micro),
            "warehouse": glances.quantity(row.warehouse_micro),
            "late repeats": glances.quantity(row.beyond_window_micro),
            "billed": glances.quantity(row.billed_micro),
            "not priced": glances.quantity(row.unpriced_micro),
            "held": row.held or "",
        }
        for row in rows_of_table(first)
    ]
