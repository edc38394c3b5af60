"""What usage costs: one pool of included quantity, and overage at the price of its time.

The specification of usage lines, in plain integers that read like the price list;
`pipelines.bulk_rating` must equal it.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipelines.segments import Part, parts
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.money import PICO, divide_half_away, minor_per_major
from schemas.period import BillingPeriod
from schemas.quantity import MICRO
from schemas.rate_card import RateCard
from schemas.subscription import Subscription

UsageBySegment = Mapping[tuple[str, int], int]
"""Usage in 1e-6 units by (meter, segment): see `pipelines.segments.bounds`."""


def price(quantity_micro: int, unit_price_pico: int, currency: str) -> int:
    """Minor units of a quantity, rounded once, half away from zero.

    195,483.870968 tokens at 0.000008 USD are 1.5638… and cost 156 cents. A credit is the charge of
    the same quantity, negated.
    """
    divisor = MICRO * PICO // minor_per_major(currency)
    return divide_half_away(quantity_micro * unit_price_pico, divisor)


def included_share(included_micro: int, part: BillingPeriod, period: BillingPeriod) -> int:
    """What is included for a part of the period, floored to 1e-6 unit."""
    return included_micro * part.duration_ms // period.duration_ms


def pool(
    found: Iterable[Part], meter: str, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> int | None:
    """A meter's included quantity for the period: the sum of its parts' shares, None is unlimited.

    Free to pro on 16 October: 48,387.096774 + 516,129.032258 = 564,516.129032. A part whose plan
    has no rate card for the meter adds nothing; one without limit makes the whole unlimited.
    """
    total = 0
    for part in found:
        card = _card(part, meter, catalogs)
        if card is not None and card.included is None:
            return None
        total += included_share(card.included, part.period, period) if card and card.included else 0
    return total


def beyond(cumulative_micro: int, pool_micro: int | None) -> int:
    """How much of what was used so far is beyond the pool."""
    return 0 if pool_micro is None else max(0, cumulative_micro - pool_micro)


def rate_usage(
    subscription: Subscription,
    period: BillingPeriod,
    catalogs: Mapping[int, Catalog],
    usage: UsageBySegment,
) -> list[InvoiceLine]:
    """The usage lines of a subscription for a billing period, by meter, time and kind.

    Only meters that a price list of the subscription prices make lines, and only quantities other
    than zero; the quantities of a meter's lines add up to its usage within the subscription.
    """
    found = parts(subscription, period)
    lines: list[InvoiceLine] = []
    for meter in sorted(priced_meters(found, catalogs)):
        uses = [
            (part, usage.get((meter, part.number), 0), _card(part, meter, catalogs))
            for part in found
        ]
        pool_micro = pool(found, meter, period, catalogs)
        lines += _rate_meter(meter, subscription.currency, uses, pool_micro)
    return lines


def priced_meters(found: Iterable[Part], catalogs: Mapping[int, Catalog]) -> set[str]:
    """The meters that make lines: any plan of these parts' price lists has a card for them."""
    return {meter for part in found for meter in catalogs[part.catalog_version].priced_meters}


def _rate_meter(
    meter: str, currency: str, uses: list[tuple[Part, int, RateCard | None]], pool_micro: int | None
) -> Iterator[InvoiceLine]:
    """The pool is used up in time order; what is beyond it costs the price of its own part."""
    cumulative = 0
    for part, used, card in uses:
        before = beyond(cumulative, pool_micro)
        cumulative += used
        overage = beyond(cumulative, pool_micro) - before
        if used != overage:
            yield InvoiceLine("included", part.plan, part.period, 0, meter, used - overage)
        if overage:
            yield _overage_line(meter, currency, part, card, overage)


def _overage_line(
    meter: str, currency: str, part: Part, card: RateCard | None, overage: int
) -> InvoiceLine:
    if card is None or card.overage is None:
        return InvoiceLine("not_billed", part.plan, part.period, 0, meter, overage)
    unit_price = card.overage.unit_price_pico(currency)
    amount = price(overage, unit_price, currency)
    return InvoiceLine("overage", part.plan, part.period, amount, meter, overage, unit_price)


def _card(part: Part, meter: str, catalogs: Mapping[int, Catalog]) -> RateCard | None:
    return catalogs[part.catalog_version].plans[part.plan].meters.get(meter)
