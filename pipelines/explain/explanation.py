"""One invoice, line by line with its arithmetic, in text that a person can check by hand.

Recomputes every line by the specification (`pipelines.rating.rating`, `pipelines.rating.proration`,
`pipelines.adjustments`) and says whether it agrees with what was billed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipelines.adjustments.as_billed import as_billed
from pipelines.adjustments.case import Case
from pipelines.adjustments.invoice import adjust
from pipelines.corrections.note_words import KIND_WIDTH, NOTHING_CORRECTED, Corrected, explain_note
from pipelines.explain.line_arithmetic import LineArithmetic
from pipelines.explain.price_steps import quantity, quotient
from pipelines.invoices.books_as_billed import books_behind
from pipelines.invoices.descriptions import plan_title, span
from pipelines.rating.pools import SHARED, pool_of, pools, shares
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import (
    Usage,
    beyond,
    included_share,
    priced_meters,
    rate_usage,
)
from pipelines.segments.segments import Part, parts
from pipelines.segments.shares import measured
from schemas.catalog import Catalog
from schemas.extras import NOTHING, Given
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceLine
from schemas.ledger_ports import ClosingLedger
from schemas.money import format_minor
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.subscription import Subscription
from schemas.tax import TaxRule

DIFFERENCE = "Recomputed from the price list: THE LINES DIFFER"
"""How the last row begins where they do."""
_DAY_MS = 86_400_000


def explain_invoice(
    invoice: Invoice, ledger: ClosingLedger, corrected: Corrected = NOTHING_CORRECTED
) -> str:
    """The explanation of an invoice as it stands in the ledger, or of a note.

    `corrected` says of the lines that correct an earlier month what they rest on.
    """
    if invoice.kind == "note":
        own = ledger.invoices_of([invoice.tenant])
        return explain_note(
            invoice, next((it for it in own if it.id == invoice.corrects), None), corrected
        )
    books = books_behind(invoice.month, invoice.tenant, ledger)
    [subscription] = [it for it in books.subscriptions if it.id == invoice.subscription]
    return explain(
        invoice,
        subscription,
        books.offered.catalogs,
        as_billed(invoice, books.given.get(invoice.tenant, NOTHING)),
        books.offered.taxes,
        corrected,
    )


def explain(
    invoice: Invoice,
    subscription: Subscription,
    catalogs: Mapping[int, Catalog],
    given: Given = NOTHING,
    taxes: Sequence[TaxRule] = (),
    corrected: Corrected = NOTHING_CORRECTED,
) -> str:
    """Every line of an invoice with its arithmetic, the pools behind it, and the total.

    `given` is what the tenant has beside its plan, as the invoice found it.
    """
    period = subscription.billed_in(BillingPeriod.month(invoice.month))
    case = Case(subscription, period, catalogs, given=given, taxes=taxes)
    return "\n".join(_Explanation(invoice, case, corrected).text()) + "\n"


class _Explanation:
    """The figures of one invoice, on their way to becoming text."""

    def __init__(self, invoice: Invoice, case: Case, corrected: Corrected) -> None:
        self.invoice = invoice
        self.corrected = corrected
        self.case = case
        self.subscription = case.subscription
        self.catalogs = case.catalogs
        self.period = case.period
        self.parts = parts(self.subscription, self.period)
        self.arithmetic = LineArithmetic(invoice, case)
        self.usage = _usage(invoice, self.parts)

    def text(self) -> Iterator[str]:
        yield self._heading()
        for place, line in enumerate(self.invoice.lines):
            yield self.arithmetic.line(line)
            yield from self.arithmetic.steps(place, line)
            yield from self.corrected.get(place + 1, ())
        yield f"{'total':{KIND_WIDTH}}  {self._amount(self.invoice.total_minor)}"
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

    def _meter(self, meter: str) -> Iterator[str]:
        """How the pool came about, and how it was used up."""
        included = pools(self.parts, meter, self.period, self.catalogs)
        brought = list(shares(self.parts, meter, self.period, self.catalogs))
        yield f"{meter} included in this period: {_included(included)}"
        for part, share in zip(self.parts, brought, strict=True):
            yield f"  {_where(part)}: {self._share(part, meter, share)}"
        cumulative: Counter[int] = Counter()
        for part in self.parts:
            used, number = self._used(meter, part), pool_of(part, self.catalogs)
            cumulative[number] += used
            over = beyond(cumulative[number], included[number])
            yield (
                f"  {_where(part)}: {quantity(used)} used, {quantity(cumulative[number])} so far, "
                f"{quantity(over)} beyond what is included"
            )

    def _used(self, meter: str, part: Part) -> int:
        keys = [key for key in self.usage if key[:2] == (meter, part.number)]
        return sum(self.usage[key] for key in keys)

    def _share(self, part: Part, meter: str, brought: int | None) -> str:
        card = self.catalogs[part.catalog_version].plans[part.plan].meters.get(meter)
        if card is None:
            return "the plan does not include it"
        if card.included is None or brought is None:
            return "unlimited"
        if brought != included_share(card.included, part.period, self.period):
            return self._other_share(part, card.included, brought)
        return self._prorated(card.included, part.period.duration_ms, brought, "s", 1000)

    def _prorated(self, included: int, part_ms: int, brought: int, unit: str, unit_ms: int) -> str:
        count, whole = part_ms // unit_ms, self.period.duration_ms // unit_ms
        share = quotient(included * count, MICRO * whole)
        counted = f"{quantity(included)} × {count:,} {unit} ÷ {whole:,} {unit}"
        return f"{counted} = {share} → {quantity(brought)}"

    def _other_share(self, part: Part, included: int, brought: int) -> str:
        """What a plan brings by another policy than its share by the second."""
        policies = self.catalogs[part.catalog_version].plans[part.plan].policies
        by_day_ms = measured(part.period, "day")
        is_by_day = brought == included * by_day_ms // self.period.duration_ms
        if policies.proration == "day" and is_by_day:
            return self._prorated(included, by_day_ms, brought, "days", _DAY_MS)
        if brought == 0:
            return "nothing: the plan before it brought the whole period's"
        if policies.proration == "none":
            return f"{quantity(brought)}, whole: it is not prorated"
        return f"{quantity(brought)}, all of it: an upgrade brings it in full"

    def _agreement(self) -> str:
        lines = prorate_fees(self.subscription, self.period, self.catalogs)
        lines += rate_usage(self.subscription, self.period, self.catalogs, self.usage)
        own, corrected_minor = self._without_corrections()
        lines += adjust(replace(self.case, lines=lines, corrected_minor=corrected_minor))
        if lines == own:
            return "Recomputed from the price list: every line agrees."
        recomputed = self._amount(sum(line.amount_minor for line in lines) + corrected_minor)
        return f"{DIFFERENCE}; they would be {recomputed}."

    def _without_corrections(self) -> tuple[list[InvoiceLine], int]:
        """The lines of the invoice's own period, and what corrections of earlier ones come to."""
        own = [line for line in self.invoice.lines if line.kind not in CORRECTION_KINDS]
        return own, self.invoice.total_minor - sum(line.amount_minor for line in own)

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


def _included(by_pool: Mapping[int, int | None]) -> str:
    """One quantity for the period, or one for each stretch that has its own."""
    told = ["unlimited" if it is None else quantity(it) for it in by_pool.values()]
    if set(by_pool) <= {SHARED}:
        return "".join(told) or "0"
    return f"{' and '.join(told)}, each for its own time"


def _where(part: Part) -> str:
    return f"{plan_title(part.plan)}, {span(part.period)}"
