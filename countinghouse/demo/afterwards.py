"""After the close: usage that comes late, what the next close corrects, and other prices.

One late event is sent, once for ever: a second run finds it in the warehouse.
"""

from collections.abc import Iterator

from countinghouse.client import UsageProducer
from countinghouse.demo import report
from countinghouse.demo.input import DemoInput
from countinghouse.init import read_text
from countinghouse.settings import Settings
from countinghouse.wiring import await_landing, live_epoch, usage_log, usage_reader
from pipelines.catalog import catalog_file
from pipelines.corrections.late_listing import late_rows
from pipelines.corrections.late_usage import corrections, reach
from pipelines.invoices.descriptions import describe
from pipelines.reports.movements import summarize
from pipelines.reports.simulation import simulate
from schemas.late_usage import Correction
from schemas.period import BillingPeriod, format_instant, from_ms
from schemas.quantity import format_micro
from stores.ledger import Ledger

EVENT_TYPE = "llm.request"
TOKENS = {"input_tokens": 1_500_000, "output_tokens": 500_000}
"""Of one request, so that it shows on an invoice."""
_HOUR_MS = 3_600_000


def send_late(settings: Settings, demo: DemoInput, books: Ledger) -> str | None:
    """Send an event of the closed month, unless one is there; whose it is, None if nobody's.

    It is of the tenant with the most overage, whom no limit stops.
    """
    tenant = _chosen(books, demo.month)
    if tenant is None or _late_tenants(settings, demo, books):
        return tenant
    period = BillingPeriod.month(demo.month)
    topic = live_epoch(settings).topic
    kafka = settings.kafka_access
    sign_in = kafka.confluent()
    with UsageProducer(kafka.servers, source="demo", topic=topic, config=sign_in) as usage:
        when = from_ms(period.end_ms - _HOUR_MS)
        usage.record(tenant, EVENT_TYPE, {"model": "late", **TOKENS}, event_id="late", time=when)
    await_landing(settings)
    return tenant


def _chosen(books: Ledger, month: str) -> str | None:
    _, catalog = books.catalog()
    overage = {
        invoice.tenant: line.quantity_micro or 0
        for invoice in books.invoices(month)
        for line in invoice.lines
        if line.kind == "overage" and line.meter is not None
        if catalog.plans[line.plan].meters[line.meter].hard_limit is None
    }
    return max(sorted(overage), key=lambda tenant: overage[tenant], default=None)


def _late_tenants(settings: Settings, demo: DemoInput, books: Ledger) -> set[str]:
    closing = books.closing(demo.month)
    if closing is None:
        return set()
    with usage_reader(settings) as usage:
        landed = usage_log(settings).landed()
        return usage.late(reach(closing, books.catalogs().values()), closing.vector, landed)


def late_usage(settings: Settings, demo: DemoInput, books: Ledger) -> list[report.Late]:
    """What came after the close, with the lines by which the next close corrects it."""
    closing = books.closing(demo.month)
    if closing is None:
        return []
    landed = usage_log(settings).landed()
    with usage_reader(settings) as usage:
        made = {each.month for each in books.opened_closings()}
        found = corrections([closing], made, landed, books, usage)
        tenants = [each.tenant for each in found]
        rows = late_rows(closing, books, usage, landed)
    events = {it: sum(row.own_events for row in rows if row.tenant == it) for it in tenants}
    return [_late(each, events[each.tenant]) for each in found]


def _late(its: Correction, events: int) -> report.Late:
    return report.Late(
        tenant=its.tenant,
        events=events,
        invoice=its.invoice,
        currency=its.currency,
        amount_minor=its.amount_minor,
        corrected_by=list(_lines(its)),
    )


def _lines(its: Correction) -> Iterator[report.Line]:
    period = BillingPeriod.month(its.month)
    for line in its.lines:
        micro = line.quantity_micro
        yield report.Line(
            kind=line.kind,
            meter=line.meter,
            description=describe(line, period, its.currency),
            quantity=None if micro is None else format_micro(micro),
            amount_minor=line.amount_minor,
            period_start=format_instant(line.period.start_ms),
            period_end=format_instant(line.period.end_ms),
        )


def simulated(demo: DemoInput, books: Ledger) -> list[report.Simulated]:
    """The closed month by the draft of other prices, by currency; nothing without a draft."""
    if demo.draft is None:
        return []
    draft = catalog_file.parse(read_text(demo.draft), str(demo.draft))
    moves = simulate(demo.month, draft, books, {}).moves
    return [
        report.Simulated(
            currency=it.currency,
            tenants=it.tenants,
            before_minor=it.before_minor,
            after_minor=it.after_minor,
            winners=it.winners,
            losers=it.losers,
        )
        for it in summarize(moves)
    ]
