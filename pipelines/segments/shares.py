"""How much of a billing period a part of it is, as a plan's policy measures it.

Fees and what is included ask here; minimum, maximum and discounts are always by the second.
"""

from collections.abc import Mapping, Sequence

from pipelines.segments.segments import Part
from schemas.catalog import Catalog, Plan
from schemas.money import divide_half_away
from schemas.period import BillingPeriod
from schemas.plan_policies import Proration

_DAY_MS = 86_400_000


def measured(part: BillingPeriod, proration: Proration) -> int:
    """The length of a part in milliseconds; by the day, a day belongs to what it ends with.

    From 10 October 12:00 to 31 October 12:00 is 21 days: the 10th, and no 31st.
    """
    if proration == "day":
        return part.end_ms // _DAY_MS * _DAY_MS - part.start_ms // _DAY_MS * _DAY_MS
    return part.duration_ms


def prorate(
    fee_minor: int, part: BillingPeriod, period: BillingPeriod, proration: Proration = "second"
) -> int:
    """The fee for a part of the period, rounded once: 49.99 for 21 of 31 days is 33.86."""
    return divide_half_away(fee_minor * measured(part, proration), period.duration_ms)


def plan_of(part: Part, catalogs: Mapping[int, Catalog]) -> Plan:
    """The terms of a part's plan."""
    return catalogs[part.catalog_version].plans[part.plan]


def weights(
    found: Sequence[Part], period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> list[int]:
    """What each part of a period counts for, in milliseconds of it.

    Where nothing is prorated, the plan that begins an unbroken stretch counts for the whole period,
    once in it, and a plan that comes after it for nothing.
    """
    counted: list[int] = []
    is_given, reached_ms = False, None
    for part in found:
        policy = plan_of(part, catalogs).policies.proration
        if policy != "none":
            counted.append(measured(part.period, policy))
        elif is_given or reached_ms == part.period.start_ms:
            counted.append(0)
        else:
            counted.append(period.duration_ms)
            is_given = True
        reached_ms = part.period.end_ms
    return counted
