"""Invoices and corrections as FOCUS rows: the FinOps Open Cost and Usage Specification.

Owns how a line becomes a charge. Columns are those of FOCUS 1.3 that every provider must have or
that we can fill, without the two that it replaced; our own begin with `x_`. One row a line.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.invoices.books import Books
from pipelines.invoices.descriptions import describe
from pipelines.invoices.invoice_parts import invoice_parts, records_of
from schemas.invoice import USAGE_KINDS, Invoice, InvoiceLine, InvoiceState
from schemas.money import MINOR_DIGITS
from schemas.period import BillingPeriod, parse_instant
from schemas.progress import Progress, unseen

VERSION = "1.3"
DECIMAL = pa.decimal128(38, 18)
MOMENT = pa.timestamp("ms", "UTC")


class _Document(msgspec.Struct):
    period: dict[str, str] | None = None


_decode = msgspec.json.Decoder(_Document).decode


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its Arrow type, and whether a row may be without it."""

    kind: pa.DataType
    nullable: bool


_TEXT, _OPTIONAL = Column(pa.string(), nullable=False), Column(pa.string(), nullable=True)
_COST, _NUMBER = Column(DECIMAL, nullable=False), Column(DECIMAL, nullable=True)
_INSTANT = Column(MOMENT, nullable=False)

COLUMNS: dict[str, Column] = {
    "BilledCost": _COST,
    "BillingAccountId": _TEXT,
    "BillingAccountName": _OPTIONAL,
    "BillingCurrency": _TEXT,
    "BillingPeriodEnd": _INSTANT,
    "BillingPeriodStart": _INSTANT,
    "ChargeCategory": _TEXT,
    "ChargeClass": _OPTIONAL,
    "ChargeDescription": _OPTIONAL,
    "ChargeFrequency": _TEXT,
    "ChargePeriodEnd": _INSTANT,
    "ChargePeriodStart": _INSTANT,
    "ConsumedQuantity": _NUMBER,
    "ConsumedUnit": _OPTIONAL,
    "ContractedCost": _COST,
    "ContractedUnitPrice": _NUMBER,
    "EffectiveCost": _COST,
    "HostProviderName": _OPTIONAL,
    "InvoiceId": _OPTIONAL,
    "InvoiceIssuerName": _TEXT,
    "ListCost": _COST,
    "ListUnitPrice": _NUMBER,
    "PricingCategory": _OPTIONAL,
    "PricingQuantity": _NUMBER,
    "PricingUnit": _OPTIONAL,
    "ServiceCategory": _TEXT,
    "ServiceName": _TEXT,
    "ServiceProviderName": _TEXT,
    "ServiceSubcategory": _TEXT,
    "SkuId": _OPTIONAL,
    "SkuMeter": _OPTIONAL,
    "SkuPriceId": _OPTIONAL,
    "SubAccountId": _OPTIONAL,
    "SubAccountName": _OPTIONAL,
    "SubAccountType": _OPTIONAL,
    "x_InvoiceLine": Column(pa.int64(), nullable=False),
    "x_LineKind": _TEXT,
    "x_Plan": _TEXT,
    "x_PricingValue": _OPTIONAL,
}
SCHEMA = pa.schema([pa.field(name, it.kind, nullable=it.nullable) for name, it in COLUMNS.items()])

_FREQUENCIES = {"Usage": "Usage-Based", "Purchase": "Recurring"}
_CATEGORIES: dict[str, str] = {
    **dict.fromkeys(map(str, USAGE_KINDS), "Usage"),
    **dict.fromkeys(("base_fee", "proration_credit", "proration_charge"), "Purchase"),
    **dict.fromkeys(("add_on", "item"), "Purchase"),
    **dict.fromkeys(("minimum", "maximum"), "Adjustment"),
    **dict.fromkeys(("discount", "credit_applied"), "Credit"),
    "tax": "Tax",
    "correction_tax": "Tax",
}


def focus_tables(books: Books, seller: str, progress: Progress = unseen) -> Iterator[pa.Table]:
    """The charges of a month, of some tenants after the others; see `focus_table`."""
    for part in invoice_parts(books.records, books, progress=progress):
        yield focus_table(records_of(part), seller)


def focus_table(invoices: Iterable[Invoice], seller: str) -> pa.Table:
    """The charges of numbered invoices, by number and line.

    Their billed costs add up to each invoice's total, to the cent: what it asks for after credits.
    """
    invoices = list(invoices)
    periods = _periods(invoices)
    final = [i for i in invoices if i.number and i.state.value not in (InvoiceState.DRAFT, "void")]
    rows = [
        _row(invoice, period, number, line, seller)
        for invoice in sorted(final, key=lambda each: (each.number or "", each.id))
        for period in [_period(invoice, periods)]
        for number, line in enumerate(invoice.lines, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def is_correction(line: InvoiceLine, period: BillingPeriod) -> bool:
    """Does a line correct what was invoiced before: an earlier billing period, or by a credit?"""
    is_later = line.kind == "credited" or line.kind.startswith("correction")
    return is_later or line.period.end_ms <= period.start_ms


def _row(
    invoice: Invoice, period: BillingPeriod, number: int, line: InvoiceLine, seller: str
) -> dict[str, Any]:
    category = _CATEGORIES.get(line.kind, "Adjustment")
    corrects = is_correction(line, period)
    billed = _major(line.amount_minor, invoice.currency)
    is_once = line.kind == "item" or category not in _FREQUENCIES
    return {
        "BilledCost": billed,
        "BillingAccountId": invoice.tenant,
        "BillingCurrency": invoice.currency,
        "BillingPeriodEnd": period.end_ms,
        "BillingPeriodStart": period.start_ms,
        "ChargeCategory": category,
        "ChargeClass": "Correction" if corrects else None,
        "ChargeDescription": describe(line, period, invoice.currency),
        "ChargeFrequency": "One-Time" if is_once else _FREQUENCIES[category],
        "ChargePeriodEnd": line.period.end_ms,
        "ChargePeriodStart": line.period.start_ms,
        **_consumed(line, category),
        **_priced(line, category, billed),
        "EffectiveCost": billed,
        "HostProviderName": seller,
        "InvoiceId": invoice.number,
        "InvoiceIssuerName": seller,
        "ServiceCategory": "Other",
        "ServiceName": line.plan or "Other",
        "ServiceProviderName": seller,
        "ServiceSubcategory": "Other (Other)",
        **_sku(line, category),
        "SubAccountId": invoice.subscription,
        "SubAccountType": "Subscription",
        "x_InvoiceLine": number,
        "x_LineKind": line.kind,
        "x_Plan": line.plan,
        "x_PricingValue": line.value,
    }


def _consumed(line: InvoiceLine, category: str) -> dict[str, Any]:
    if category != "Usage":
        return {}
    return {"ConsumedQuantity": _units(line.quantity_micro), "ConsumedUnit": line.meter}


def _priced(line: InvoiceLine, category: str, billed: Decimal) -> dict[str, Any]:
    """Quantity × unit price = cost, exactly, before the line is rounded.

    Where units cost different prices, or the line is a share of a fee or a credit, it is one charge
    at its own amount.
    """
    if category == "Tax":
        return {"ContractedCost": billed, "ListCost": billed}
    quantity, unit, price = Decimal(1 if billed >= 0 else -1), "Charges", abs(billed)
    is_priced = line.unit_price_pico is not None or not billed
    if line.kind != "credited" and line.quantity_micro is not None and is_priced:
        quantity, unit = _units(line.quantity_micro), line.meter or "Units"
        price = Decimal(line.unit_price_pico or 0).scaleb(-12)
    # The usual context rounds to 28 digits, and both together may have 38.
    cost = Context(prec=DECIMAL.precision).multiply(quantity, price)
    priced = {
        "ContractedCost": cost,
        "ContractedUnitPrice": price,
        "ListCost": cost,
        "ListUnitPrice": price,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
    }
    is_sold = category in ("Usage", "Purchase")
    return priced | ({"PricingCategory": "Standard"} if is_sold else {})


def _sku(line: InvoiceLine, category: str) -> dict[str, Any]:
    """What is sold, whatever its price, and at which price list's entry."""
    if category == "Tax":
        return {}
    sold = line.meter or line.name or line.kind
    return {"SkuId": sold, "SkuMeter": line.meter, "SkuPriceId": f"{line.plan}/{sold}"}


def _periods(invoices: Iterable[Invoice]) -> dict[str, BillingPeriod]:
    """The billing period of each subscription's invoice of the month, as its document says."""
    return {
        invoice.subscription: BillingPeriod(
            parse_instant(told["start"]), parse_instant(told["end"])
        )
        for invoice in invoices
        if invoice.kind == "invoice" and (told := _decode(invoice.document).period)
    }


def _period(invoice: Invoice, periods: Mapping[str, BillingPeriod]) -> BillingPeriod:
    """When it is billed. A note is billed with the invoices of its month, whatever it corrects."""
    return periods.get(invoice.subscription) or BillingPeriod.month(invoice.month)


def _units(micro: int | None) -> Decimal:
    return Decimal(micro or 0).scaleb(-6)


def _major(amount_minor: int, currency: str) -> Decimal:
    return Decimal(amount_minor).scaleb(-MINOR_DIGITS[currency])
