"""One invoice, line by line with its arithmetic, in text that a person can check by hand.

Recomputes every line by the specification (`pipelines.rating`, `pipelines.proration`,
`pipelines.adjustments`) and says whether it agrees with what was billed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipelines.adjustments.as_billed import as_billed
from pipelines.adjustments.case import Case
from pipelines.adjustments.invoice import adjust
from pipelines.books import Books
from pipelines.descriptions import describe, metered, plan_title, span
from pipelines.proration import prorate_fees
from pipelines.rating import (
    Usage,
    beyond,
    included_share,
    pool,
    priced_meters,
    rate_usage,
)
from pipelines.segments import Part, parts
from schemas.catalog import Catalog
from schemas.errors import NotFound
from schemas.extras import NOTHING, Given
from schemas.invoice import ADJUSTING_KINDS, Invoice, InvoiceLine
from schemas.money import PICO, format_minor, format_pico, minor_per_major
from schemas.period import BillingPeriod
from schemas.ports import ClosingLedger
from schemas.quantity import MICRO, format_micro
from schemas.subscription import Subscription
from schemas.tax import TaxRule

_SHOWN_DIGITS = 6
_KIND_WIDTH = len("proration_credit")


def explain_invoice(month: str, tenant: str, ledger: ClosingLedger) -> str:
    """The explanation of a tenant's invoice for a month.

    Raises:
        NotFound: the tenant has no invoice in that month.
    """
    invoices = ledger.invoices(month, tenant=tenant)
    if not invoices:
        raise NotFound(f"{tenant} has no invoice for {month}; see `countinghouse invoices list`")
    books = Books(month, ledger)
    subscriptions = {s.id: s for s in books.subscriptions}
    return "\n".join(
        explain(
            invoice,
            subscriptions[invoice.subscription],
            books.offered.catalogs,
            as_billed(invoice, books.given.get(tenant, NOTHING)),
            books.offered.taxes,
        )
        for invoice in invoices
    )


def explain(
    invoice: Invoice,
    subscription: Subscription,
    catalogs: Mapping[int, Catalog],
    given: Given = NOTHING,
    taxes: Sequence[TaxRule] = (),
) -> str:
    """Every line of an invoice with its arithmetic, the pools behind it, and the total.

    `given` is what the tenant has beside its plan, as the invoice found it.
    """
    case = Case(
        subscription, BillingPeriod.month(invoice.month), catalogs, given=given, taxes=taxes
    )
    return "\n".join(_Explanation(invoice, case).text()) + "\n"


class _Explanation:
    """The figures of one invoice, on their way to becoming text."""

    def __init__(self, invoice: Invoice, case: Case) -> None:
        self.invoice = invoice
        self.case = case
        self.subscription = case.subscription
        self.catalogs = case.catalogs
        self.period = case.period
        self.parts = parts(self.subscription, self.period)
        self.usage = _usage(invoice, self.parts)

    def text(self) -> Iterator[str]:
        yield self._heading()
        yield from map(self._line, self.invoice.lines)
        yield f"{'total':{_KIND_WIDTH}}  {self._amount(self.invoice.total_minor)}"
        for meter in sorted(priced_meters(self.parts, self.catalogs)):
            yield ""
            yield from self._meter(meter)
        yield ""
        yield self._agreement()

    def _heading(self) -> str:
        number = self.invoice.number or "draft"
        return (
            f"Invoice {number} of {self.invoice.tenant} for {self.invoice.month}, in "
            f"{self.invoice.currency} ({self.invoice.state.value})"
        )

    def _line(self, line: InvoiceLine) -> str:
        described = describe(line, self.period, self.invoice.currency)
        if line.kind in ADJUSTING_KINDS:
            return f"{line.kind:{_KIND_WIDTH}}  {described} → {self._amount(line.amount_minor)}"
        what = described.partition(": ")[0]
        return f"{line.kind:{_KIND_WIDTH}}  {what}: {self._arithmetic(line)}"

    def _arithmetic(self, line: InvoiceLine) -> str:
        if line.fee_minor is not None:
            return self._fee_arithmetic(line)
        quantity = f"{_quantity(line.quantity_micro or 0)} {metered(line)}"
        if line.unit_price_pico is None:
            return f"{quantity}, {self._amount(line.amount_minor)}"
        product = (line.quantity_micro or 0) * line.unit_price_pico
        exact = _exact(product, MICRO * PICO)
        unit_price = format_pico(line.unit_price_pico)
        return f"{quantity} × {unit_price} = {exact} → {self._amount(line.amount_minor)}"

    def _fee_arithmetic(self, line: InvoiceLine) -> str:
        part, whole = line.period.duration_ms, self.period.duration_ms
        fee_minor = line.fee_minor or 0
        exact = _exact(fee_minor * part, minor_per_major(self.invoice.currency) * whole)
        return (
            f"{self._amount(fee_minor)} × {part // 1000:,} s ÷ {whole // 1000:,} s = {exact} "
            f"→ {self._amount(line.amount_minor)}"
        )

    def _meter(self, meter: str) -> Iterator[str]:
        """How the pool came about, and how it was used up."""
        pool_micro = pool(self.parts, meter, self.period, self.catalogs)
        told = "unlimited" if pool_micro is None else _quantity(pool_micro)
        yield f"{meter} included in this period: {told}"
        for part in self.parts:
            yield f"  {_where(part)}: {self._share(part, meter)}"
        cumulative = 0
        for part in self.parts:
            used = self._used(meter, part)
            cumulative += used
            over = beyond(cumulative, pool_micro)
            yield (
                f"  {_where(part)}: {_quantity(used)} used, {_quantity(cumulative)} so far, "
                f"{_quantity(over)} beyond what is included"
            )

    def _used(self, meter: str, part: Part) -> int:
        keys = [key for key in self.usage if key[:2] == (meter, part.number)]
        return sum(self.usage[key] for key in keys)

    def _share(self, part: Part, meter: str) -> str:
        card = self.catalogs[part.catalog_version].plans[part.plan].meters.get(meter)
        if card is None:
            return "the plan does not include it"
        if card.included is None:
            return "unlimited"
        seconds, whole = part.period.duration_ms // 1000, self.period.duration_ms // 1000
        exact = _exact(card.included * seconds, MICRO * whole)
        floored = _quantity(included_share(card.included, part.period, self.period))
        included = _quantity(card.included)
        return f"{included} × {seconds:,} s ÷ {whole:,} s = {exact} → {floored}"

    def _agreement(self) -> str:
        lines = prorate_fees(self.subscription, self.period, self.catalogs)
        lines += rate_usage(self.subscription, self.period, self.catalogs, self.usage)
        lines += adjust(replace(self.case, lines=lines))
        if tuple(lines) == self.invoice.lines:
            return "Recomputed from the price list: every line agrees."
        recomputed = self._amount(sum(line.amount_minor for line in lines))
        return f"Recomputed from the price list: THE LINES DIFFER; they would be {recomputed}."

    def _amount(self, amount_minor: int) -> str:
        return format_minor(amount_minor, self.invoice.currency).replace("-", "−")


def _usage(invoice: Invoice, found: list[Part]) -> Usage:
    """What was used by (meter, segment, value), as the invoice's own lines say."""
    numbers = {part.period: part.number for part in found}
    usage: Counter[tuple[str, int, str]] = Counter()
    for line in invoice.lines:
        if line.meter is not None and line.period in numbers:
            key = line.meter, numbers[line.period], line.value or ""
            usage[key] += line.quantity_micro or 0
    return usage


def _where(part: Part) -> str:
    return f"{plan_title(part.plan)}, {span(part.period)}"


def _quantity(micro: int) -> str:
    """1e-6 units with thousands apart: 195483870968 → "195,483.870968"."""
    whole, point, part = format_micro(abs(micro)).partition(".")
    return f"{'−' if micro < 0 else ''}{int(whole):,}{point}{part}"


def _exact(numerator: int, denominator: int) -> str:
    """A quotient to six decimals, cut; an ellipsis says that there are more."""
    sign = "−" if numerator < 0 else ""
    shown, rest = divmod(abs(numerator) * 10**_SHOWN_DIGITS, denominator)
    whole, part = divmod(shown, 10**_SHOWN_DIGITS)
    digits = f"{part:0{_SHOWN_DIGITS}d}" if rest else f"{part:0{_SHOWN_DIGITS}d}".rstrip("0")
    return f"{sign}{whole:,}{'.' if digits else ''}{digits}{'…' if rest else ''}"
