"""What must hold of a month's lines and invoices, each check a list of findings to read.

An empty list is a pass. The gate is the ledger's (`pipelines.closing.reconcile`); Dagster shows
these beside it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby

import msgspec

from pipelines.books import Books
from pipelines.fee_wholes import FeeWholes
from pipelines.pools import pool_of, pools
from pipelines.proration import share_of_fee
from pipelines.rating import beyond, overage_amount, price_of, priced_meters
from pipelines.segments import parts
from pipelines.tables import lines_by_subscription
from schemas.invoice import (
    ADJUSTING_KINDS,
    USAGE_KINDS,
    Invoice,
    InvoiceLine,
    invoice_id,
    late_note_id,
    month_billed,
)
from schemas.money import Money
from schemas.quantity import format_micro
from schemas.subscription import Subscription

SURPRISING_FACTOR = 3
SURPRISING_MINOR = 1_000
"""A total is surprising when it changed by more than this factor and more than this amount."""


def charges_match_usage(books: Books) -> list[str]:
    """Usage lines add up to the usage, overage is what is beyond the pool, amounts are right.

    It starts from each meter's total, so it does not repeat how the lines were made.
    """
    findings: list[str] = []
    for subscription in books.subscriptions:
        lines = books.lines_by_subscription.get(subscription.id, ())
        findings += _quantity_findings(subscription, lines, books)
        for line, due in _dues(subscription, lines, books):
            if line.amount_minor != due:
                what = f"{line.kind} of {line.plan}"
                findings.append(f"{subscription.tenant}: {what} is {line.amount_minor}, not {due}")
    return findings


def _quantity_findings(
    subscription: Subscription, lines: Collection[InvoiceLine], books: Books
) -> Iterator[str]:
    period = books.billed(subscription)
    found = parts(subscription, period)
    usage = books.usage_by_tenant.get(subscription.tenant, Counter())
    for meter in sorted(priced_meters(found, books.catalogs)):
        by_pool: Counter[int] = Counter()
        for part in found:
            by_pool[pool_of(part, books.catalogs)] += usage[meter, part.number]
        included = pools(found, meter, period, books.catalogs)
        used = sum(by_pool.values())
        due = sum(beyond(own, included[number]) for number, own in by_pool.items())
        of_meter = [
            (line.kind, line.quantity_micro or 0)
            for line in lines
            if line.meter == meter and line.kind in USAGE_KINDS
        ]
        billed = sum(quantity for _, quantity in of_meter)
        over = sum(quantity for kind, quantity in of_meter if kind != "included")
        if (billed, over) != (used, due):
            yield (
                f"{subscription.tenant}: {meter} lines hold {format_micro(billed)}, "
                f"{format_micro(over)} of it beyond the pool, but {format_micro(used)} was used, "
                f"{format_micro(due)} beyond the pool"
            )


def _dues(
    subscription: Subscription, lines: Iterable[InvoiceLine], books: Books
) -> Iterator[tuple[InvoiceLine, int]]:
    """What each line costs by its own figures, and by those of its meter's lines before it."""
    plans = {
        part.period: books.catalogs[part.catalog_version].plans[part.plan]
        for part in parts(subscription, books.billed(subscription))
    }
    wholes = FeeWholes(subscription, books.billed(subscription), books.catalogs)
    reached: Counter[str] = Counter()
    for line in lines:
        if line.kind in ADJUSTING_KINDS:
            continue
        if line.fee_minor is not None:
            yield line, _fee_due(line, line.fee_minor, wholes)
            continue
        before = reached[line.meter or ""]
        if line.kind != "included":
            reached[line.meter or ""] += line.quantity_micro or 0
        card = plans[line.period].meters.get(line.meter or "") if line.kind == "overage" else None
        if card is None or card.overage is None:
            yield line, 0
        else:
            after = reached[line.meter or ""]
            price = price_of(card.overage, line.value)
            yield line, overage_amount(price, before, after, subscription.currency)


def _fee_due(line: InvoiceLine, fee_minor: int, wholes: FeeWholes) -> int:
    whole, proration = wholes.of(line)
    amount_minor = share_of_fee(fee_minor, line.period, whole, proration)
    return -amount_minor if line.kind == "proration_credit" else amount_minor


def lines_sum_to_totals(books: Books) -> list[str]:
    """Invoices have exactly the ledger's lines, and every total is the exact sum of them."""
    findings = []
    expected = _expected_lines(books)
    for invoice in books.invoices:
        if invoice.lines != expected.get(invoice.id, invoice.lines if _is_later(invoice) else ()):
            findings.append(f"{invoice.id}: its lines are not those of the ledger")
        stated = _document_total(invoice)
        if stated != invoice.total_minor:
            findings.append(f"{invoice.id}: the document says {stated}, not {invoice.total_minor}")
    return findings + _currency_findings(books)


def _expected_lines(books: Books) -> dict[str, tuple[InvoiceLine, ...]]:
    """What the ledger's lines make of the close's invoices and notes, by id."""
    invoices = {
        invoice_id(name, books.month): own for name, own in books.lines_by_subscription.items()
    }
    notes = {
        late_note_id(row["subscription"], month, books.month): tuple(of_month)
        for row, own in lines_by_subscription(books.note_lines)
        for month, of_month in groupby(own, key=month_billed)
    }
    return invoices | notes


def _is_later(invoice: Invoice) -> bool:
    """Was it made after the close: in place of a void one, or as a credit note by hand?"""
    return "#" in invoice.id or any(line.kind == "credited" for line in invoice.lines)


def _currency_findings(books: Books) -> list[str]:
    table = books.lines.group_by("currency").aggregate([("amount_minor", "sum")])
    of_lines = {row["currency"]: row["amount_minor_sum"] for row in table.to_pylist()}
    # What was made void or made after the close changes nothing about what the close made.
    of_invoices = totals_by_currency(it for it in books.every_invoice if not _is_later(it))
    return [
        f"{currency}: invoices add up to {of_invoices.get(currency, 0)}, "
        f"lines to {of_lines.get(currency, 0)}"
        for currency in sorted(of_lines.keys() | of_invoices.keys())
        if of_invoices.get(currency, 0) != of_lines.get(currency, 0)
    ]


def totals_by_currency(invoices: Iterable[Invoice]) -> dict[str, int]:
    """Minor units by currency."""
    totals: Counter[str] = Counter()
    for invoice in invoices:
        totals[invoice.currency] += invoice.total_minor
    return dict(sorted(totals.items()))


def one_invoice_per_subscription(books: Books) -> list[str]:
    """Every subscription of the month has one invoice, and every invoice a subscription."""
    wanted = {subscription.id for subscription in books.subscriptions}
    found = Counter(each.subscription for each in books.invoices if each.kind == "invoice")
    return [
        *(f"{name}: there is no invoice" for name in sorted(wanted - found.keys())),
        *(f"{name}: an invoice without subscription" for name in sorted(found.keys() - wanted)),
        *(f"{name}: there are {n} invoices" for name, n in sorted(found.items()) if n > 1),
    ]


def no_surprising_change(books: Books, previous: Books) -> list[str]:
    """Totals beside those of the month before; worth a look, never a reason to stop.

    A tenant's first invoice surprises nobody.
    """
    before = {it.subscription: it for it in previous.invoices if it.kind == "invoice"}
    findings = []
    for invoice in (it for it in books.invoices if it.kind == "invoice"):
        old = before.get(invoice.subscription)
        if old and old.currency == invoice.currency and _is_surprising(old, invoice):
            was, now = (Money(i.total_minor, i.currency) for i in (old, invoice))
            findings.append(f"{invoice.tenant}: {now}, after {was} the month before")
    return findings


def _is_surprising(old: Invoice, new: Invoice) -> bool:
    small, large = sorted((abs(old.total_minor), abs(new.total_minor)))
    return large > SURPRISING_FACTOR * small and large - small > SURPRISING_MINOR


class _Total(msgspec.Struct):
    total_minor: int


def _document_total(invoice: Invoice) -> int:
    return msgspec.json.decode(invoice.document, type=_Total).total_minor
