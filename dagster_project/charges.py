"""The month's lines: what usage costs, and what plans and their changes cost."""

import dagster as dg

from dagster_project import glances, metadata
from dagster_project.code_version import CODE_VERSION
from dagster_project.ownership import BILLING, BILLING_GROUP
from dagster_project.partitions import billing_periods, month_check
from dagster_project.resources import LedgerResource
from dagster_project.usage import monthly_usage
from pipelines.checks import checks
from pipelines.close.closing import prorate_fees, rate_charges
from pipelines.invoices.books import Books


@dg.asset(
    partitions_def=billing_periods,
    deps=[monthly_usage],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"duckdb"},
    code_version=CODE_VERSION,
)
def charges(
    context: dg.AssetExecutionContext, ledger: LedgerResource
) -> dg.MaterializeResult[None]:
    """Usage priced into lines: included, overage, not billed."""
    with ledger.open() as books:
        report = rate_charges(context.partition_key, books)
        shown = glances.of_lines(books, context.partition_key, "charges")
    return dg.MaterializeResult(metadata=metadata.of_step(report) | shown)


@dg.asset(
    partitions_def=billing_periods,
    deps=[charges],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"duckdb"},
    code_version=CODE_VERSION,
)
def prorations(
    context: dg.AssetExecutionContext, ledger: LedgerResource
) -> dg.MaterializeResult[None]:
    """Fee lines: the base fee, and credit and charge for each change within the month."""
    with ledger.open() as books:
        report = prorate_fees(context.partition_key, books)
        shown = glances.of_lines(books, context.partition_key, "prorations")
    return dg.MaterializeResult(metadata=metadata.of_step(report) | shown)


@month_check(prorations, blocking=True)
def charges_match_usage(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Quantities on lines add up to the usage, and each line costs what its figures say."""
    with ledger.open() as books:
        record = Books(context.partition_key, books)
        findings = checks.charges_match_usage(record)
        return metadata.verdict(findings, f"{record.line_count:,} lines match the usage")
