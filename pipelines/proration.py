"""What the base fee of a part of a month costs: fees, and the credit and charge of a change.

The specification of fee lines, in plain integers; `pipelines.bulk_rating` must equal it.
"""

from collections.abc import Iterator, Mapping

from pipelines.segments import Part, parts, unbroken
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine, LineKind
from schemas.money import divide_half_away
from schemas.period import BillingPeriod
from schemas.subscription import Subscription


def prorate(fee_minor: int, part: BillingPeriod, period: BillingPeriod) -> int:
    """The fee for a part of the period, rounded once: 49.99 for 21 of 31 days is 33.86."""
    return divide_half_away(fee_minor * part.duration_ms, period.duration_ms)


def prorate_fees(
    subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> list[InvoiceLine]:
    """The fee lines of a subscription for a billing period, in time order.

    The plan in force when an unbroken part of the subscription begins costs its fee to the end of
    that part; each change takes back what is left of the old plan and charges what is left of the
    new one. October, pro to enterprise on the 11th: 49.99 − 33.86 + 135.48 = 151.61 USD. A trial
    costs nothing; the fee begins when it ends.
    """
    return [
        line
        for run in unbroken(parts(subscription, period))
        for line in _run_lines(run, subscription.currency, period, catalogs)
    ]


def _run_lines(
    run: list[Part], currency: str, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> Iterator[InvoiceLine]:
    def line(kind: LineKind, part: Part, starts_ms: int) -> InvoiceLine:
        rest = BillingPeriod(starts_ms, run[-1].period.end_ms)
        plan = catalogs[part.catalog_version].plans[part.plan]
        fee_minor = 0 if part.is_trial else plan.base_fee_minor(currency)
        amount_minor = prorate(fee_minor, rest, period)
        signed = -amount_minor if kind == "proration_credit" else amount_minor
        return InvoiceLine(kind, part.plan, rest, signed, fee_minor=fee_minor)

    old = run[0]
    yield line("base_fee", old, old.period.start_ms)
    for new in run[1:]:
        yield line("proration_credit", old, new.period.start_ms)
        yield line("proration_charge", new, new.period.start_ms)
        old = new
