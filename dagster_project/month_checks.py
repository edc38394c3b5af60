"""What is worth a look in a month's figures: warnings with a reason, never the gate.

Each names the command that lists all of it. What stops or holds a month is checked elsewhere.
"""

import dagster as dg

from dagster_project import metadata
from dagster_project.invoices import reconciliation
from dagster_project.late import late_usage
from dagster_project.partitions import month_check
from dagster_project.resources import LedgerResource, LogResource, WarehouseResource
from pipelines.checks import leakage, month_ways, verdicts
from pipelines.checks.three_way import CAUSES
from pipelines.invoices.books import Books
from schemas.closing import ClosingState

_WARN = dg.AssetCheckSeverity.WARN


@month_check(reconciliation)
def usage_has_a_subscription(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Nobody uses anything without a subscription in the month: the leakage report."""
    month = context.partition_key
    with ledger.open() as books:
        findings = [str(it) for it in leakage.usage_without_subscription(Books(month, books))]
    return metadata.verdict(
        findings, "every user has a subscription", _WARN, _listed(f"usage unbilled {month}")
    )


@month_check(reconciliation)
def usage_has_a_price(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Subscribers use priced meters while a plan is in force, and at no other time."""
    month = context.partition_key
    with ledger.open() as books:
        findings = [str(it) for it in leakage.unpriced_usage(Books(month, books))]
    return metadata.verdict(
        findings, "every plan was in force", _WARN, _listed(f"usage unbilled {month}")
    )


@month_check(reconciliation)
def items_have_an_invoice(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Whoever is charged a one-off item in the month has an invoice for it to stand on."""
    with ledger.open() as books:
        findings = leakage.items_without_invoice(Books(context.partition_key, books))
    return metadata.verdict(findings, "every item is billed", _WARN, _listed("items list"))


@month_check(reconciliation)
def three_figures_agree(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource
) -> dg.AssetCheckResult:
    """Counter, warehouse and invoice as of the cut; what differs is told by its cause."""
    month = context.partition_key
    with ledger.open() as books:
        rows = month_ways.as_recorded(Books(month, books))
    lost = [month_ways.in_words(row) for row in rows if row.lost_micro]
    explained = len(rows) - len(lost)
    passed = f"all agree, {explained:,} by late repeats" if explained else "all agree"
    told = {"explained by late repeats": explained, **_listed(f"reconcile {month} --invoices")}
    return metadata.verdict(lost, passed, _WARN, told)


@month_check(reconciliation)
def ids_stay_in_one_month(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    """No event's id comes again with a time in the month before or after: both would bill it."""
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage:
        record = Books(month, books)
        found = usage.repeated_ids(record.period, record.closing.vector)
    told = {"ids": sum(each.ids for each in found), **_listed(f"usage repeated {month}")}
    findings = [verdicts.told(month, each) for each in found]
    return metadata.verdict(findings, "every id is of one month", _WARN, told)


@month_check(late_usage)
def differences_have_a_cause(
    context: dg.AssetCheckExecutionContext,
    ledger: LedgerResource,
    warehouse: WarehouseResource,
    log: LogResource,
) -> dg.AssetCheckResult:
    """Counter, warehouse and invoice as of now: every difference has a cause, nothing is lost."""
    month = context.partition_key
    with ledger.open() as books, warehouse.open() as usage, log.open(books) as usage_log:
        if Books(month, books).closing.state is not ClosingState.CLOSED:
            return metadata.verdict([], "the month is not closed yet")
        found = month_ways.as_of_now(month, books, usage, usage_log)
    rows = found.rows
    told = {cause: sum(cause in row.causes for row in rows) for cause in CAUSES}
    lost = [month_ways.in_words(row) for row in rows if row.lost_micro]
    passed = f"{found.count:,} compared, nothing is lost"
    return metadata.verdict(lost, passed, _WARN, told | _listed(f"reconcile {month} --invoices"))


def _listed(arguments: str) -> dict[str, str]:
    return {metadata.LISTED_BY: f"countinghouse {arguments}"}
