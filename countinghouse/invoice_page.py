"""An invoice as a page that a tenant reads and prints: one file of HTML that loads nothing.

The same invoice makes the same page: nothing in it depends on when it is made.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from pipelines.explain.price_steps import quantity
from pipelines.invoices.descriptions import describe
from schemas.invoice import CORRECTION_KINDS, USAGE_KINDS, Invoice, InvoiceLine, InvoiceState
from schemas.money import format_minor, format_pico
from schemas.period import BillingPeriod, from_ms

_TEMPLATE = (files("countinghouse") / "pages" / "invoice.html").read_text(encoding="utf-8")
_PAGE = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(_TEMPLATE)

Evidence = Sequence[tuple[int, Sequence[str]]]
"""By a line's number, counted from 1: what its events say, a row each."""


class _Row(NamedTuple):
    """A line as it is shown."""

    place: int
    description: str
    quantity: str
    unit_price: str
    amount: str


def invoice_page(
    invoice: Invoice,
    period: BillingPeriod,
    seller: str,
    explanation: str,
    evidence: Evidence = (),
) -> str:
    """The page of an invoice or a note, with the arithmetic of its lines.

    `period` is its billing period, `explanation` the text of `pipelines.explain.explanation`.
    """
    return _PAGE.render(
        invoice=invoice,
        title=_title(invoice),
        state=invoice.state.value.replace("_", " "),
        seller=seller,
        facts=list(_facts(invoice, period)),
        sections=list(_sections(invoice, period)),
        totals=list(_totals(invoice)),
        due=_due(invoice),
        explanation=explanation.rstrip(),
        evidence=evidence,
    )


def _title(invoice: Invoice) -> str:
    if invoice.kind == "note":
        kind = "Credit note" if invoice.total_minor < 0 else "Debit note"
    else:
        kind = "Invoice"
    return f"{kind} {invoice.number}" if invoice.number else f"{kind}, draft"


def _facts(invoice: Invoice, period: BillingPeriod) -> Iterator[tuple[str, str]]:
    last_day = BillingPeriod(period.start_ms, period.end_ms - 1)
    yield "Period", f"{_day(last_day.start_ms)} to {_day(last_day.end_ms)}"
    if invoice.issued_ms is not None:
        yield "Issued", _day(invoice.issued_ms)
    if invoice.due_ms is not None and invoice.state is not InvoiceState.VOID:
        yield "Due", _day(invoice.due_ms)
    if invoice.corrects is not None:
        yield "Corrects", invoice.corrects
    yield "Subscription", invoice.subscription


def _day(instant_ms: int) -> str:
    return f"{from_ms(instant_ms):%Y-%m-%d}"


def _sections(invoice: Invoice, period: BillingPeriod) -> Iterator[tuple[str, Sequence[_Row]]]:
    """The lines in their order, with a heading wherever another kind of them begins."""
    numbered = enumerate(invoice.lines, 1)
    for section, lines in groupby(numbered, key=lambda each: _section(each[1])):
        yield section, [_row(place, line, period, invoice.currency) for place, line in lines]


def _section(line: InvoiceLine) -> str:
    if line.kind in USAGE_KINDS:
        return "Usage"
    if line.kind in CORRECTION_KINDS:
        return "Corrections of earlier periods"
    is_fee = line.fee_minor is not None and line.kind != "add_on"
    return "Plan" if is_fee else "Further items, discounts, taxes and credits"


def _row(place: int, line: InvoiceLine, period: BillingPeriod, currency: str) -> _Row:
    used, price = line.quantity_micro, line.unit_price_pico
    return _Row(
        place,
        describe(line, period, currency),
        "" if used is None else quantity(used),
        "" if price is None else format_pico(price),
        _amount(line.amount_minor, currency),
    )


def _totals(invoice: Invoice) -> Iterator[tuple[str, str]]:
    """What the lines come to, and what became of it; each only where it says something more."""
    currency, total_minor = invoice.currency, invoice.total_minor
    if (invoice.tax_minor, invoice.credits_minor) != (0, 0):
        yield "Subtotal", _amount(invoice.subtotal_minor, currency)
        yield "Tax", _amount(invoice.tax_minor, currency)
        yield "Paid by prepaid credits", _amount(-invoice.credits_minor, currency)
    if invoice.credited_minor:
        yield "Total", _amount(total_minor, currency)
        yield "Credited since", _amount(-invoice.credited_minor, currency)
    yield _due(invoice), _amount(_owed_minor(invoice), currency)
    if invoice.reversed_minor:
        yield "Refunded or disputed since", _amount(-invoice.reversed_minor, currency)


def _due(invoice: Invoice) -> str:
    names = {InvoiceState.VOID: "Void: nothing is owed", InvoiceState.PAID: "Paid"}
    return names.get(invoice.state, "Total" if invoice.kind == "note" else "Amount due")


def _owed_minor(invoice: Invoice) -> int:
    if invoice.state is InvoiceState.VOID:
        return 0
    return invoice.total_minor if invoice.kind == "note" else invoice.amount_due_minor


def _amount(amount_minor: int, currency: str) -> str:
    return format_minor(amount_minor, currency).replace("-", "−")
