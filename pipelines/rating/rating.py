"""What usage costs: one pool of included quantity, and overage at the price of its time.

The specification of usage lines, in plain integers that read like the price list;
`pipelines.rating.bulk_rating` must equal it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.rating.costs import cost, to_minor
from pipelines.rating.pools import pool_of, pools, shares
from pipelines.segments.segments import Part, parts
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.money import at_most
from schemas.period import BillingPeriod
from schemas.prices import Matrix, PerUnit, PriceModel
from schemas.quantity import clamped
from schemas.rate_card import RateCard
from schemas.subscription import Subscription

Usage = Mapping[tuple[str, int, str], int]
"""Usage in 1e-6 units by (meter, segment, value): see `pipelines.segments.segments.bounds`.

The value is that of the meter's pricing key, '' where it has none.
"""


@dataclass(frozen=True, slots=True)
class _Use:
    """What was used in a part, of one value where the part's price depends on it."""

    part: Part
    card: RateCard | None
    quantity_micro: int
    value: str | None = None


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
    for share in shares(list(found), meter, period, catalogs):
        if share is None:
            return None
        total += share
    return total


def beyond(cumulative_micro: int, pool_micro: int | None) -> int:
    """How much of what was used so far is beyond the pool."""
    return 0 if pool_micro is None else max(0, cumulative_micro - pool_micro)


def rate_usage(
    subscription: Subscription,
    period: BillingPeriod,
    catalogs: Mapping[int, Catalog],
    usage: Usage,
) -> list[InvoiceLine]:
    """The usage lines of a subscription for a billing period, by meter, time, value and kind.

    Only meters that a price list of the subscription prices make lines, and only quantities other
    than zero; the quantities of a meter's lines add up to its usage within the subscription.
    """
    found = parts(subscription, period)
    by_part = _by_part(usage)
    lines: list[InvoiceLine] = []
    for meter in sorted(priced_meters(found, catalogs)):
        uses = [
            use
            for part in found
            for use in _uses(
                part, _card(part, meter, catalogs), by_part.get((meter, part.number), {})
            )
        ]
        included = pools(found, meter, period, catalogs)
        taken_from = {part.number: pool_of(part, catalogs) for part in found}
        pooled = [(use, taken_from[use.part.number]) for use in uses]
        lines += _rate_meter(meter, subscription.currency, pooled, included)
    return lines


def _by_part(usage: Usage) -> dict[tuple[str, int], dict[str, int]]:
    """Usage by value, for each meter and segment."""
    found: dict[tuple[str, int], dict[str, int]] = {}
    for (meter, segment, value), quantity in usage.items():
        found.setdefault((meter, segment), {})[value] = quantity
    return found


def _uses(part: Part, card: RateCard | None, by_value: Mapping[str, int]) -> Iterator[_Use]:
    """A matrix tells values apart; they use up a pool in their order, if there is one.

    What was used comes before what is given back: else a correction of one value would be paid at
    the price of another that follows it.
    """
    if card is not None and isinstance(card.overage, Matrix):
        for value in sorted(by_value, key=lambda each: (by_value[each] < 0, each)):
            yield _Use(part, card, by_value[value], value)
    else:
        yield _Use(part, card, clamped(sum(by_value.values())))


def priced_meters(found: Iterable[Part], catalogs: Mapping[int, Catalog]) -> set[str]:
    """The meters that make lines: any plan of these parts' price lists has a card for them."""
    return {meter for part in found for meter in catalogs[part.catalog_version].priced_meters}


def _rate_meter(
    meter: str,
    currency: str,
    uses: Iterable[tuple[_Use, int]],
    included: Mapping[int, int | None],
) -> Iterator[InvoiceLine]:
    """A pool is used up in time order; what is beyond it costs the price of its own part.

    Tiers go on through all that is beyond any pool of the period.
    """
    cumulative: Counter[int] = Counter()
    exact = 0
    for use, number in uses:
        was_beyond = beyond(cumulative[number], included[number])
        cumulative[number] += use.quantity_micro
        before = clamped(exact)
        exact += beyond(cumulative[number], included[number]) - was_beyond
        after = clamped(exact)
        within = use.quantity_micro - (after - before)
        if within:
            plan, period = use.part.plan, use.part.period
            yield InvoiceLine("included", plan, period, 0, meter, within, value=use.value)
        if after != before:
            yield _overage_line(meter, currency, use, before, after)


def _overage_line(meter: str, currency: str, use: _Use, before: int, after: int) -> InvoiceLine:
    """What is beyond the pool goes from one quantity to another: the line is the difference."""
    plan, period, quantity = use.part.plan, use.part.period, after - before
    if use.card is None or use.card.overage is None or use.part.is_trial:
        return InvoiceLine("not_billed", plan, period, 0, meter, quantity)
    price = price_of(use.card.overage, use.value)
    return InvoiceLine(
        "overage",
        plan,
        period,
        overage_amount(price, before, after, currency),
        meter,
        quantity,
        unit_price_pico(price, currency),
        value=use.value,
    )


def price_of(price: PriceModel, value: str | None) -> PriceModel:
    """The price that a line has: of a matrix, the one of its value."""
    return price.price_of(value or "") if isinstance(price, Matrix) else price


def unit_price_pico(price: PriceModel, currency: str) -> int | None:
    """The price of each unit where all cost the same, for a line to show."""
    return price.unit_price_pico(currency) if isinstance(price, PerUnit) else None


def overage_amount(price: PriceModel, before_micro: int, after_micro: int, currency: str) -> int:
    """Minor units for going on from one quantity beyond the pool to another, rounded once.

    Tiers are those of the whole period: 600 units in one part and 600 in the next reach into a
    tier that begins at 1,000. What is beyond `schemas.money.MOST_MINOR` is said to be as much.
    """
    grown = cost(price, after_micro, currency) - cost(price, before_micro, currency)
    return at_most(to_minor(grown, currency))


def _card(part: Part, meter: str, catalogs: Mapping[int, Catalog]) -> RateCard | None:
    return catalogs[part.catalog_version].plans[part.plan].meters.get(meter)
