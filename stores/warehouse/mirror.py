"""Copies of the ledger's invoices and subscriptions in the warehouse, for analytics SQL alone.

The relay writes them; nothing that bills reads them. A row replaces the same key's row of a lower
version, so writing twice changes nothing and late repeats do no harm.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from schemas.period import from_ms

OPEN_END_MS = 7_258_118_400_000
"""The end of a plan segment without an end: 2200-01-01, past every event time."""

QUANTITY_DIGITS = 6
PRICE_DIGITS = 12


class InvoiceRow(NamedTuple):
    """An invoice as the ledger holds it; instants in epoch milliseconds, amounts in minor units.

    `version` rises with every change of the invoice (its state, number, dates, hold, or what went
    back of its payment).
    """

    invoice: str
    tenant: str
    subscription: str
    month: str
    number: str | None
    currency: str
    total_minor: int
    state: str
    issued_ms: int | None
    due_ms: int | None
    held: str | None
    version: int
    reversed_minor: int = 0


class LineRow(NamedTuple):
    """A line of an invoice; quantity in 1e-6 units, unit price in 1e-12, amount in minor units."""

    invoice: str
    ordinal: int
    tenant: str
    month: str
    kind: str
    meter: str | None
    plan: str
    quantity_micro: int | None
    unit_price_pico: int | None
    amount_minor: int
    currency: str
    period_start_ms: int
    period_end_ms: int
    version: int
    value: str | None = None
    name: str | None = None
    product: str | None = None
    tax_minor: int | None = None


class SegmentRow(NamedTuple):
    """A plan's stretch of a subscription; None is without an end."""

    plan: str
    starts_ms: int
    ends_ms: int | None
    phase: str = "active"
    interval: str = "month"


class SubscriptionRow(NamedTuple):
    """A tenant's plans over time; billing periods begin on `anchor_day`."""

    tenant: str
    version: int
    currency: str
    segments: tuple[SegmentRow, ...]
    anchor_day: int = 1


class Mirror:
    """Writes the copies; plain tuples in the order of the rows above are accepted as well."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def write_invoices(self, invoices: Sequence[InvoiceRow], lines: Sequence[LineRow]) -> None:
        """Copy invoices and their lines; the lines first, so that no invoice shows without them."""
        self._insert("invoice_lines_mirror", LINE_COLUMNS, [_line(LineRow(*row)) for row in lines])
        self._insert(
            "invoices_mirror", INVOICE_COLUMNS, [_invoice(InvoiceRow(*row)) for row in invoices]
        )

    def write_subscriptions(self, subscriptions: Sequence[SubscriptionRow]) -> None:
        """Copy subscriptions; one row a tenant holds all its segments."""
        rows = [_subscription(SubscriptionRow(*row)) for row in subscriptions]
        self._insert("subscriptions_mirror", SUBSCRIPTION_COLUMNS, rows)

    def _insert(self, table: str, columns: Sequence[str], rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._client.insert(table, rows, column_names=list(columns))


LINE_COLUMNS = (
    "invoice",
    "ordinal",
    "tenant",
    "month",
    "kind",
    "meter",
    "plan",
    "quantity",
    "unit_price",
    "amount_minor",
    "currency",
    "period_start",
    "period_end",
    "version",
    "value",
    "name",
    "product",
    "tax_minor",
)
INVOICE_COLUMNS = (
    "invoice",
    "tenant",
    "subscription",
    "month",
    "number",
    "currency",
    "total_minor",
    "state",
    "issued_at",
    "due_at",
    "held",
    "version",
    "reversed_minor",
)
SUBSCRIPTION_COLUMNS = (
    "tenant",
    "version",
    "currency",
    "plans",
    "starts",
    "ends",
    "phases",
    "intervals",
    "anchor_day",
)


def _invoice(row: InvoiceRow) -> tuple[object, ...]:
    dates = (_moment(row.issued_ms), _moment(row.due_ms))
    return (*row[:8], *dates, row.held, row.version, row.reversed_minor)


def _line(row: LineRow) -> tuple[object, ...]:
    quantity = _decimal(row.quantity_micro, QUANTITY_DIGITS)
    price = _decimal(row.unit_price_pico, PRICE_DIGITS)
    period = (from_ms(row.period_start_ms), from_ms(row.period_end_ms))
    return (*row[:7], quantity, price, row.amount_minor, row.currency, *period, *row[13:])


def _subscription(row: SubscriptionRow) -> tuple[object, ...]:
    segments = [SegmentRow(*segment) for segment in row.segments]
    starts = [from_ms(it.starts_ms) for it in segments]
    ends = [from_ms(OPEN_END_MS if it.ends_ms is None else it.ends_ms) for it in segments]
    plans, phases, intervals = ([it[n] for it in segments] for n in (0, 3, 4))
    times = (plans, starts, ends, phases, intervals)
    return (row.tenant, row.version, row.currency, *times, row.anchor_day)


def _moment(instant_ms: int | None) -> datetime | None:
    return None if instant_ms is None else from_ms(instant_ms)


def _decimal(scaled: int | None, digits: int) -> Decimal | None:
    return None if scaled is None else Decimal(scaled).scaleb(-digits)
