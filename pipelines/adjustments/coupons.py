"""How long a redeemed coupon holds: whole billing periods, the first of them the current one."""

from schemas.offers import Coupon
from schemas.subscription import Subscription


def ends_of(coupon: Coupon, subscription: Subscription, starts_ms: int) -> int | None:
    """The end of a coupon's last billing period, None where it lasts for ever.

    Three months, redeemed on 5 October by a tenant whose periods are calendar months: 1 January.
    """
    if coupon.lasts is None:
        return None
    end_ms = starts_ms
    for _ in range(coupon.lasts):
        end_ms = subscription.period_around(end_ms).end_ms
    return end_ms
