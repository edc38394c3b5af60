"""What usage costs: one pool of included quantity, and overage at the price of its time.

The specification of usage lines, in plain integers that read like the price list;
`pipelines.bulk_rating` must equal it.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipelines.costs import cost, to_minor
from pipelines.segments import Part, parts
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from schemas.prices import PerUnit, PriceModel
from schemas.rate_card import RateCard
from schemas.subscription import Subscription

UsageBySegment = Mapping[tuple[str, int], int]
"""Usage in 1e-6 units by (meter, segment): see `pipelines.segments.bounds`."""


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
        after = beyond(cumulative, pool_micro)
        if used != after - before:
            within = used - (after - before)
            yield InvoiceLine("included", part.plan, part.period, 0, meter, within)
        if after != before:
            yield _overage_line(meter, currency, part, card, (before, after))


def _overage_line(
    meter: str, currency: str, part: Part, card: RateCard | None, beyond_pool: tuple[int, int]
) -> InvoiceLine:
    """What is beyond the pool goes from one quantity to another: the line is the difference."""
    before, after = beyond_pool
    quantity = after - before
    if card is None or card.overage is None:
        return InvoiceLine("not_billed", part.plan, part.period, 0, meter, quantity)
    amount = overage_amount(card.overage, before, after, currency)
    unit_price = unit_price_pico(card.overage, currency)
    return InvoiceLine("overage", part.plan, part.period, amount, meter, quantity, unit_price)


def unit_price_pico(price: PriceModel, currency: str) -> int | None:
    """The price of each unit where all cost the same, for a line to show."""
    return price.unit_price_pico(currency) if isinstance(price, PerUnit) else None


def overage_amount(price: PriceModel, before_micro: int, after_micro: int, currency: str) -> int:
    """Minor units for going on from one quantity beyond the pool to another, rounded once.

    Tiers are those of the whole period: 600 units in one part and 600 in the next reach into a
    tier that begins at 1,000.
    """
    grown = cost(price, after_micro, currency) - cost(price, before_micro, currency)
    return to_minor(grown, currency)


def _card(part: Part, meter: str, catalogs: Mapping[int, Catalog]) -> RateCard | None:
    return catalogs[part.catalog_version].plans[part.plan].meters.get(meter)
