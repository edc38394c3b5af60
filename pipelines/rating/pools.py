"""What is included in a billing period: what each part brings, and which parts share a pool.

Owns the policies of plans on it; how a pool is used up is in `pipelines.rating.rating`.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.segments.segments import Part
from pipelines.segments.shares import plan_of, weights
from schemas.catalog import Catalog
from schemas.period import BillingPeriod

SHARED = 0
"""The number of the pool that parts have in common; one of its own has its part's number."""


def pools(
    found: Sequence[Part], meter: str, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> dict[int, int | None]:
    """A meter's included quantity by pool: the sum of its parts' shares, None is unlimited."""
    sums: dict[int, int | None] = {}
    for part, share in zip(found, shares(found, meter, period, catalogs), strict=True):
        number = pool_of(part, catalogs)
        sofar = sums.get(number, 0)
        sums[number] = None if share is None or sofar is None else sofar + share
    return sums


def pool_of(part: Part, catalogs: Mapping[int, Catalog]) -> int:
    """The number of the pool that a part's usage is taken from."""
    is_own = plan_of(part, catalogs).policies.pool == "per_segment"
    return part.number if is_own else SHARED


def shares(
    found: Sequence[Part], meter: str, period: BillingPeriod, catalogs: Mapping[int, Catalog]
) -> Iterator[int | None]:
    """What each part brings, floored to 1e-6 unit; a plan without a rate card brings nothing.

    Where a plan says so, a change to it that raises what is included brings all of it, once in a
    period: to go back and forth brings no more.
    """
    given: set[tuple[int, str]] = set()
    before, reached_ms = None, None
    for part, weight in zip(found, weights(found, period, catalogs), strict=True):
        included = _included(part, meter, catalogs)
        follows = reached_ms == part.period.start_ms
        is_raised = follows and None not in (before, included) and (included or 0) > (before or 0)
        is_full = plan_of(part, catalogs).policies.included_on_upgrade == "full"
        key = part.catalog_version, part.plan
        if is_raised and is_full and key not in given:
            given.add(key)
            yield included
        else:
            yield None if included is None else included * weight // period.duration_ms
        before, reached_ms = included, part.period.end_ms


def _included(part: Part, meter: str, catalogs: Mapping[int, Catalog]) -> int | None:
    card = plan_of(part, catalogs).meters.get(meter)
    return 0 if card is None else card.included
