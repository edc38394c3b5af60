"""Counter, warehouse and invoice of a month, read and put side by side, for the close's own gate.

What must be equal is said by `pipelines.checks.reconciliation`, and what invoices must be like by
`pipelines.checks.invoice_checks`; this owns in which order they are asked.
"""

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from pipelines.checks import bulk_reconciliation
from pipelines.checks.adjustment_checks import adjustments_hold
from pipelines.checks.completeness import ensure_covered
from pipelines.checks.invoice_checks import one_invoice_per_subscription
from pipelines.columns.tables import as_table
from pipelines.invoices.books import Books
from pipelines.invoices.stored_invoices import StoredInvoices, read_invoices
from pipelines.usage.usage_reading import read_totals
from schemas.errors import ReconciliationFailed
from schemas.ports import Log, UsageReader
from schemas.tables import COUNTER_COLUMNS

_TOLD = 5
"""Findings that an error's text names; the checks list all."""


def compare_figures(books: Books, usage: UsageReader, log: Log) -> pa.Table:
    """Every tenant and meter compared (`RECONCILIATION_COLUMNS`), by tenant and meter.

    The warehouse is asked while the invoices are read: neither waits for the other.

    Raises:
        ReconciliationFailed: invoices are missing or surplus, lines or totals do not add up.
        PeriodNotComplete: landing does not come as far as the counters.
    """
    terms = _terms(books)
    return bulk_reconciliation.compare(
        _figures(books, usage, log), books.live_heads["tenant"], terms
    )


def _figures(books: Books, usage: UsageReader, log: Log) -> bulk_reconciliation.Figures:
    segments = books.segments_around
    with ThreadPoolExecutor(1) as beside:
        metered = beside.submit(_metered, books, usage, log)
        read = read_invoices(books)
        _ensure_sound(books, read)
        metered_figures = metered.result()
    return bulk_reconciliation.Figures(
        *metered_figures, read.billed, books.usage, segments, read.too_dear
    )


def compare_counters(books: Books, usage: UsageReader, log: Log) -> pa.Table:
    """Every counter of the month's periods beside the warehouse, by the closing's price list.

    `COUNTER_COLUMNS`, in any order.

    Raises:
        PeriodNotComplete: landing does not come as far as the counters.
    """
    catalog = books.catalogs[books.closing.catalog_version]
    compared = usage.compare_counters(books.span, catalog, log)
    ensure_covered(compared)
    table = as_table(compared.table, COUNTER_COLUMNS)
    # A word for each of millions of counters, of which there are four: as places among these.
    kind = table.schema.get_field_index("window_kind")
    return table.set_column(kind, "window_kind", table["window_kind"].dictionary_encode())


def failed(month: str, reason: str, findings: list[str]) -> ReconciliationFailed:
    """The error that stops the run, with the first of the findings."""
    told = "; ".join(findings[:_TOLD])
    more = f"; and {len(findings) - _TOLD} more" if len(findings) > _TOLD else ""
    return ReconciliationFailed(f"{month}: nothing is finalized, since {reason}: {told}{more}")


def _ensure_sound(books: Books, read: StoredInvoices) -> None:
    """No fault that belongs to no single tenant."""
    findings = one_invoice_per_subscription(books) + read.findings + adjustments_hold(books)
    if findings:
        raise failed(books.month, "the invoices do not add up", findings)


def _metered(books: Books, usage: UsageReader, log: Log) -> tuple[pa.Table | None, pa.Table]:
    """What counters and warehouse say; there are no counters where the month goes without."""
    counters = None
    if books.closing.without_counters is None:
        counters = compare_counters(books, usage, log)
    meters, vector = books.meters, books.closing.vector
    return counters, read_totals(usage, books.period, vector, meters, books.anchored)


def _terms(books: Books) -> bulk_reconciliation.Terms:
    catalog = books.catalogs[books.closing.catalog_version]
    return bulk_reconciliation.Terms(
        books.period,
        books.catalogs,
        # Each invoiced tenant has a row, also where no meter has a price.
        catalog.priced_meters or (catalog.meter_list[0].name,),
        {meter.name for meter in catalog.meter_list if not meter.is_streamed},
    )
