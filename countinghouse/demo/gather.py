"""Reads the demo's outcome back from the stores: all of the report is read, none remembered."""

from collections.abc import Sequence
from dataclasses import dataclass

from countinghouse.demo import report
from countinghouse.demo.afterwards import late_usage, simulated
from countinghouse.demo.input import DemoInput
from countinghouse.demo.plan_changes import PlannedChange, recorded
from countinghouse.demo.subscriber import Observed, count_alerts
from countinghouse.settings import Settings
from countinghouse.wiring import usage_log
from pipelines.checks.reconciliation import rows_of_table
from pipelines.invoices.descriptions import describe
from schemas.closing import Reconciliation
from schemas.invoice import Invoice, InvoiceLine
from schemas.payment import PaymentAttempt
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import format_micro
from stores.ledger import Ledger
from stores.warehouse import client

METER = "tokens"

_COUNTS = """
SELECT
    (SELECT uniqExact(tenant, event_key) FROM usage_events),
    (SELECT count() FROM usage_events FINAL),
    (SELECT count() FROM rejected FINAL)
"""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything but how long it took."""

    month: str
    events: report.Events
    plan_changes: list[report.PlanChange]
    invoices: list[report.Invoice]
    breaches: list[report.Breach]
    alerts: dict[str, int]
    reconciled: list[Reconciliation]
    payments: list[report.Payment]
    late: list[report.Late]
    simulated: list[report.Simulated]

    def report(self, stages: list[report.Stage]) -> report.Report:
        """The whole, with this run's stages."""
        priced = [row for row in self.reconciled if row.meter == METER]
        return report.Report(
            month=self.month,
            events=self.events,
            stages=stages,
            usage=[_usage(row, row.warehouse_micro) for row in priced],
            plan_changes=self.plan_changes,
            invoices=self.invoices,
            breaches=self.breaches,
            alerts=self.alerts,
            unpriced=[_usage(row, row.unpriced_micro) for row in priced if row.unpriced_micro],
            reconciliation=_reconciliation(self.reconciled),
            payments=self.payments,
            late=self.late,
            simulated=self.simulated,
        )


def gather(
    settings: Settings,
    demo: DemoInput,
    books: Ledger,
    observed: Sequence[Observed],
    planned: list[PlannedChange],
) -> Gathered:
    """Read the outcome of the month."""
    period = BillingPeriod.month(demo.month)
    invoices = books.invoices(demo.month)
    return Gathered(
        month=demo.month,
        events=_events(settings),
        plan_changes=list(recorded(books, planned)),
        invoices=[_invoice(invoice, period) for invoice in invoices],
        breaches=sorted(
            (_breach(seen) for seen in observed),
            key=lambda breach: (breach.tenant, breach.meter, breach.threshold_percent),
        ),
        alerts=count_alerts(settings.kafka_access),
        reconciled=rows_of_table(books.reconciliation(demo.month)),
        payments=[_payment(attempt) for attempt in books.attempts(demo.month)],
        late=late_usage(settings, demo, books),
        simulated=simulated(demo, books),
    )


def _events(settings: Settings) -> report.Events:
    """Counts of the warehouse beside the log's own: the demo sends one element a record."""
    connection = client.connect(settings.clickhouse_url)
    [[landed, deliveries, rejected]] = connection.query(_COUNTS).result_rows
    connection.close()
    return report.Events(
        produced=sum(usage_log(settings).ends().values()),
        landed=landed,
        duplicates=deliveries - landed,
        rejected=rejected,
    )


def _usage(row: Reconciliation, micro: int) -> report.Usage:
    return report.Usage(tenant=row.tenant, meter=row.meter, quantity=format_micro(micro))


def _invoice(invoice: Invoice, period: BillingPeriod) -> report.Invoice:
    return report.Invoice(
        tenant=invoice.tenant,
        number=invoice.number,
        currency=invoice.currency,
        total_minor=invoice.total_minor,
        state=str(invoice.state),
        lines=[_line(line, period, invoice.currency) for line in invoice.lines],
    )


def _line(line: InvoiceLine, period: BillingPeriod, currency: str) -> report.Line:
    quantity = line.quantity_micro
    return report.Line(
        kind=line.kind,
        meter=line.meter,
        description=describe(line, period, currency),
        quantity=None if quantity is None else format_micro(quantity),
        amount_minor=line.amount_minor,
        period_start=format_instant(line.period.start_ms),
        period_end=format_instant(line.period.end_ms),
    )


def _breach(seen: Observed) -> report.Breach:
    return report.Breach(
        tenant=seen.breach.tenant,
        meter=seen.breach.meter,
        threshold_percent=seen.breach.threshold_percent,
        latency_ms=seen.latency_ms,
    )


def _payment(attempt: PaymentAttempt) -> report.Payment:
    return report.Payment(
        invoice=attempt.invoice,
        tenant=attempt.tenant,
        provider=attempt.provider,
        state=str(attempt.state),
        currency=attempt.currency,
        amount_minor=attempt.amount_minor,
        failure=attempt.failure,
    )


def _reconciliation(rows: Sequence[Reconciliation]) -> report.Reconciliation:
    beyond = sum(row.beyond_window_micro for row in rows if row.meter == METER)
    unpriced = sum(row.unpriced_micro for row in rows if row.meter == METER)
    return report.Reconciliation(
        differences=[found for row in rows for found in _differences(row)],
        explained={
            "repeats_beyond_the_counters_window": format_micro(beyond),
            "usage_without_a_subscription": format_micro(unpriced),
        },
    )


def _differences(row: Reconciliation) -> list[report.Difference]:
    """Counter against warehouse for every meter, warehouse against invoice for those priced."""
    found = []
    if row.counter_micro is not None:
        found.append(
            (
                "counter and warehouse",
                row.counter_micro - row.warehouse_micro - row.beyond_window_micro,
            )
        )
    if row.meter == METER:
        billed = row.billed_micro + row.unpriced_micro
        found.append(("warehouse and invoice", row.warehouse_micro - billed))
    return [
        report.Difference(
            tenant=row.tenant, meter=row.meter, between=between, quantity=format_micro(micro)
        )
        for between, micro in found
        if micro
    ]
