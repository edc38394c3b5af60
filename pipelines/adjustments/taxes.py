"""Tax: each line is taxed by itself and rounded once; the tax of an invoice is the sum of that.

A tax on top of the prices adds its amount; one that the prices hold is shown and adds nothing.
"""

from collections.abc import Iterator, Sequence

from pipelines.adjustments.buckets import product_of
from pipelines.adjustments.case import Case
from schemas.invoice import InvoiceLine
from schemas.money import divide_half_away
from schemas.offers import Product
from schemas.prices import PPM
from schemas.tax import Buyer, TaxRule

REVERSE_CHARGE = "reverse charge"


def tax_on_top(net_minor: int, rate_ppm: int) -> int:
    """The tax on a net amount: 19 % on 49.99 is 9.50, on −10.00 it is −1.90."""
    return divide_half_away(net_minor * rate_ppm, PPM)


def tax_within(gross_minor: int, rate_ppm: int, rates_ppm: int) -> int:
    """The tax that an amount holds, of `rates_ppm` in all: 20 % in 49.99 is 8.33."""
    return divide_half_away(gross_minor * rate_ppm, PPM + rates_ppm)


def tax_lines(case: Case, taxed: Sequence[InvoiceLine]) -> Iterator[InvoiceLine]:
    """For each tax by name a line for each line that it is on; of a rate of 0 one in all."""
    buyer, lines = case.given.buyer, [line for line in taxed if line.amount_minor]
    for name in dict.fromkeys(rule.name for rule in case.taxes):
        ruled = [(rule, line) for line in lines if (rule := _rule(case, name, product_of(line)))]
        for rule, line in ruled:
            if not _is_free(rule, buyer):
                yield _tax_line(case, rule, line)
        for rule in dict.fromkeys(rule for rule, _ in ruled if _is_free(rule, buyer)):
            yield _free_line(case, rule, [line for by, line in ruled if by is rule])


def _rule(case: Case, name: str, product: Product) -> TaxRule | None:
    """The first rule of a name that fits the buyer and the product."""
    named = (rule for rule in case.taxes if rule.name == name)
    return next((rule for rule in named if rule.fits(case.given.buyer, product)), None)


def _is_free(rule: TaxRule, buyer: Buyer) -> bool:
    return rule.rate == 0 or _is_reversed(rule, buyer)


def _is_reversed(rule: TaxRule, buyer: Buyer) -> bool:
    return rule.reverse_charge and buyer.tax_id is not None


def _tax_line(case: Case, rule: TaxRule, line: InvoiceLine) -> InvoiceLine:
    if rule.included:
        rates = _rates_within(case, product_of(line))
        tax_minor, added = tax_within(line.amount_minor, rule.rate, rates), 0
    else:
        tax_minor = added = tax_on_top(line.amount_minor, rule.rate)
    return InvoiceLine(
        "tax",
        line.plan,
        line.period,
        added,
        meter=line.meter,
        product=product_of(line),
        name=rule.name,
        rate_ppm=rule.rate,
        base_minor=line.amount_minor,
        tax_minor=tax_minor,
    )


def _rates_within(case: Case, product: Product) -> int:
    """The rates that a product's prices hold, together."""
    names = dict.fromkeys(rule.name for rule in case.taxes)
    rules = [rule for name in names if (rule := _rule(case, name, product))]
    return sum(rule.rate for rule in rules if rule.included)


def _free_line(case: Case, rule: TaxRule, lines: list[InvoiceLine]) -> InvoiceLine:
    is_reversed = _is_reversed(rule, case.given.buyer)
    return case.line(
        "tax",
        case.last_plan,
        0,
        name=f"{rule.name}, {REVERSE_CHARGE}" if is_reversed else rule.name,
        rate_ppm=0,
        base_minor=sum(line.amount_minor for line in lines),
        tax_minor=0,
    )
