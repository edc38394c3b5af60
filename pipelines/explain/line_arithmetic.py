"""One line of an invoice with its arithmetic, tier by tier where units cost different prices."""

from collections.abc import Iterator

from pipelines.adjustments.case import Case
from pipelines.corrections.note_words import KIND_WIDTH
from pipelines.explain.price_steps import exact, quantity, quotient, steps
from pipelines.invoices.descriptions import describe, metered
from pipelines.rating.costs import to_minor
from pipelines.rating.fee_wholes import FeeWholes
from pipelines.rating.rating import price_of
from pipelines.segments.segments import parts
from pipelines.segments.shares import measured
from schemas.invoice import ADJUSTING_KINDS, Invoice, InvoiceLine
from schemas.money import format_minor, format_pico, minor_per_major
from schemas.prices import PriceModel


class LineArithmetic:
    """The arithmetic of an invoice's lines, by the price lists and plans of a case."""

    def __init__(self, invoice: Invoice, case: Case) -> None:
        self._invoice = invoice
        self._period = case.period
        self._catalogs = case.catalogs
        self._parts = parts(case.subscription, case.period)
        self._wholes = FeeWholes(case.subscription, case.period, case.catalogs)

    def line(self, line: InvoiceLine) -> str:
        """The row of a line."""
        described = describe(line, self._period, self._invoice.currency)
        if line.kind in ADJUSTING_KINDS:
            return f"{line.kind:{KIND_WIDTH}}  {described} → {self._amount(line.amount_minor)}"
        what = described.partition(": ")[0]
        return f"{line.kind:{KIND_WIDTH}}  {what}: {self._arithmetic(line)}"

    def steps(self, place: int, line: InvoiceLine) -> Iterator[str]:
        """Tier by tier, where a price is not the same for each unit."""
        if line.kind != "overage" or line.meter is None or line.unit_price_pico is not None:
            return
        price = self._price(line.meter, line)
        if price is None:
            return
        after = sum(
            each.quantity_micro or 0
            for each in self._invoice.lines[: place + 1]
            if each.meter == line.meter and each.kind in ("overage", "not_billed")
        )
        before = after - (line.quantity_micro or 0)
        found = steps(price, before, after, self._invoice.currency)
        for step in found:
            yield f"{'':{KIND_WIDTH}}    {step.words} = {exact(step.amount_atto)}"
        total = sum(step.amount_atto for step in found)
        rounded = self._amount(to_minor(total, self._invoice.currency))
        yield f"{'':{KIND_WIDTH}}    together {exact(total)} → {rounded}"

    def _price(self, meter: str, line: InvoiceLine) -> PriceModel | None:
        """The price of an overage line, None if its plan has none any more."""
        part = next((each for each in self._parts if each.period == line.period), None)
        if part is None:
            return None
        card = self._catalogs[part.catalog_version].plans[part.plan].meters.get(meter)
        return price_of(card.overage, line.value) if card and card.overage else None

    def _arithmetic(self, line: InvoiceLine) -> str:
        if line.fee_minor is not None:
            return self._fee_arithmetic(line)
        metered_quantity = f"{quantity(line.quantity_micro or 0)} {metered(line)}"
        if line.unit_price_pico is None:
            return f"{metered_quantity}, {self._amount(line.amount_minor)}"
        product = (line.quantity_micro or 0) * line.unit_price_pico
        unit_price = format_pico(line.unit_price_pico)
        amount = self._amount(line.amount_minor)
        return f"{metered_quantity} × {unit_price} = {exact(product)} → {amount}"

    def _fee_arithmetic(self, line: InvoiceLine) -> str:
        of, proration = self._wholes.of(line)
        whole = of.duration_ms
        part = whole if proration == "none" else measured(line.period, proration)
        fee_minor = line.fee_minor or 0
        share = quotient(fee_minor * part, minor_per_major(self._invoice.currency) * whole)
        return (
            f"{self._amount(fee_minor)} × {part // 1000:,} s ÷ {whole // 1000:,} s = {share} "
            f"→ {self._amount(line.amount_minor)}"
        )

    def _amount(self, amount_minor: int) -> str:
        return format_minor(amount_minor, self._invoice.currency).replace("-", "−")
