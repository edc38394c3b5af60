"""Everything that Dagster loads, by name."""

import dagster as dg

from dagster_project.alerts import month_overdue, run_failed
from dagster_project.automation import close_month, finalize_and_collect, month_end
from dagster_project.by_day import every_hour, keep_usage_by_day, usage_by_day
from dagster_project.charges import charges, charges_match_usage, prorations
from dagster_project.collection import payment_collection, payments_match_invoices
from dagster_project.due import billed_by_six
from dagster_project.finalizing import drafts_due
from dagster_project.invoices import (
    adjustments_hold,
    finalized_invoices,
    invoices,
    lines_sum_to_totals,
    no_surprising_change,
    one_invoice_per_subscription,
    reconciliation,
)
from dagster_project.late import late_usage, look_at_late_usage, usage_came_late
from dagster_project.month_bundle import month_bundle
from dagster_project.month_checks import (
    differences_have_a_cause,
    ids_stay_in_one_month,
    items_have_an_invoice,
    three_figures_agree,
    usage_has_a_price,
    usage_has_a_subscription,
)
from dagster_project.preview import upcoming_invoices
from dagster_project.resources import (
    LedgerResource,
    LogResource,
    ProvidersResource,
    WarehouseResource,
)
from dagster_project.sources import SOURCES
from dagster_project.usage import counters_match_warehouse, monthly_usage, period_is_complete

defs = dg.Definitions(
    assets=[
        *SOURCES,
        usage_by_day,
        monthly_usage,
        charges,
        prorations,
        invoices,
        reconciliation,
        finalized_invoices,
        payment_collection,
        month_bundle,
        late_usage,
        upcoming_invoices,
    ],
    asset_checks=[
        period_is_complete,
        counters_match_warehouse,
        charges_match_usage,
        lines_sum_to_totals,
        adjustments_hold,
        one_invoice_per_subscription,
        no_surprising_change,
        usage_has_a_subscription,
        usage_has_a_price,
        items_have_an_invoice,
        three_figures_agree,
        ids_stay_in_one_month,
        differences_have_a_cause,
        payments_match_invoices,
        billed_by_six,
    ],
    jobs=[close_month, finalize_and_collect, look_at_late_usage, keep_usage_by_day],
    schedules=[month_end, every_hour],
    sensors=[drafts_due, usage_came_late, run_failed, month_overdue],
    resources={
        "ledger": LedgerResource(),
        "warehouse": WarehouseResource(),
        "log": LogResource(),
        "providers": ProvidersResource(),
    },
    # one process: a month's steps are short, and each new process costs seconds
    executor=dg.in_process_executor,
)
