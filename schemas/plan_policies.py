"""How a plan is charged, by name: what the field decides differently, and a price list may choose.

Owns the names and which of them exclude each other. The arithmetic of each is in
`pipelines.rating.proration` (fees) and `pipelines.rating.pools` (what is included).
"""

from collections.abc import Iterator
from typing import Literal

from schemas.price_terms import Closed, Problem

BaseFee = Literal["in_arrears", "in_advance"]
"""Whether a monthly fee is on its own period's invoice, or on that of the period before."""

Proration = Literal["second", "day", "none"]
"""What a part of a period is a share of it by. A day belongs to the plan in force at its end;
`none` leaves a period with what it began with, whole."""

IncludedOnUpgrade = Literal["prorated", "full"]
"""Whether a change to a plan that includes more brings its share of the period, or all of it."""

Pool = Literal["per_period", "per_segment"]
"""Whether what is included is for the whole period, or for the stretch of a plan alone."""


class Policies(Closed):
    """The choices of a plan; each default is what holds where nothing is said."""

    base_fee: BaseFee = "in_arrears"
    proration: Proration = "second"
    included_on_upgrade: IncludedOnUpgrade = "prorated"
    pool: Pool = "per_period"

    @property
    def are_usual_for_fees(self) -> bool:
        """Is the fee in arrears and prorated by the second?"""
        return self.base_fee == "in_arrears" and self.proration == "second"

    @property
    def are_usual_for_usage(self) -> bool:
        """Is there one pool for the period, to which each plan brings its share by the second?"""
        shared = self.pool == "per_period" and self.included_on_upgrade == "prorated"
        return shared and self.proration == "second"


USUAL = Policies()


def broken_policies(
    policies: Policies, *, has_minimum: bool, has_yearly: bool, discounts_fees: bool
) -> Iterator[Problem]:
    """Choices that contradict each other or the rest of a plan, with their places in it."""
    if policies.base_fee == "in_advance":
        path = ("policies", "base_fee")
        if has_minimum:
            text = "a minimum counts the fee of its own period, and this is the next one's"
            yield path, f"{text}; leave out one of them"
        if discounts_fees:
            text = "a plan's discount is on its own period's fee, and this is the next one's"
            yield path, f"{text}; write `on: usage`, or use a coupon"
    if policies.proration == "none":
        path = ("policies", "proration")
        if has_yearly:
            text = "a year that begins or ends within a period needs a share; write second or day"
            yield path, text
        if policies.pool == "per_segment":
            text = "a pool for each segment is a share of the period; write second or day"
            yield path, text
