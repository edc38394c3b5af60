"""Moving subscriptions to another price list, as it would be: which plan each would have there.

Owns what a draft must hold so that history can be priced by it. Nothing is written.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.subscription import PlanSegment, Subscription

_DEFINED_BY = ("event_type", "aggregation", "value", "filter", "priced_by")


def repriced(
    subscriptions: Iterable[Subscription],
    month: BillingPeriod,
    draft: Catalog,
    version: int,
    renamed: Mapping[str, str],
) -> list[Subscription]:
    """The subscriptions with every plan that a month's invoice may tell of taken from the draft.

    A plan keeps its name, or takes the one that `renamed` gives it.

    Raises:
        InvalidInput: a plan or currency is not in the draft; the text says the remedy.
    """
    moved = [_moved(each, month, version, renamed) for each in subscriptions]
    _ensure_plans(moved, draft, version, renamed)
    _ensure_currencies(moved, draft)
    return moved


def ensure_metered(draft: Catalog, history: Catalog) -> None:
    """Whatever the draft prices was metered then, and means the same.

    Raises:
        InvalidInput: a meter is new or defined otherwise, so history has no quantities of it.
    """
    for name in draft.priced_meters:
        known = history.meters.get(name)
        if known is None:
            told = f"the draft prices {name}, which history has no usage of"
            raise InvalidInput(f"{told}; leave it out of the draft's plans")
        if differs := _differs(draft.meters[name], known):
            told = f"the draft defines {differs} of {name} otherwise than history metered it"
            raise InvalidInput(f"{told}; simulate with the definition in force")


def _moved(
    subscription: Subscription, month: BillingPeriod, version: int, renamed: Mapping[str, str]
) -> Subscription:
    period = subscription.billed_in(month)
    # What was charged in advance is known by the period before.
    before = subscription.period_around(period.start_ms - 1)
    told = BillingPeriod(before.start_ms, period.end_ms)
    segments = tuple(
        replace(each, plan=renamed.get(each.plan, each.plan), catalog_version=version)
        if _is_told(each, told)
        else each
        for each in subscription.segments
    )
    return replace(subscription, segments=segments)


def _is_told(segment: PlanSegment, told: BillingPeriod) -> bool:
    """The same bounds as of `pipelines.fee_terms.told_versions`."""
    ends_ms = segment.ends_ms
    return segment.starts_ms <= told.end_ms and (ends_ms is None or ends_ms >= told.start_ms)


def _ensure_plans(
    moved: Sequence[Subscription], draft: Catalog, version: int, renamed: Mapping[str, str]
) -> None:
    for old, new in renamed.items():
        if new not in draft.plans:
            raise InvalidInput(f"--map {old}={new}: the draft has {', '.join(draft.plans)}")
    missing = Counter(plan for each in moved for plan in _missing(each, draft, version))
    for plan, count in sorted(missing.items()):
        who = _who(count, "has", "have")
        plans = ", ".join(draft.plans)
        raise InvalidInput(
            f"{who} the plan {plan}, which the draft has not; say what they would have by "
            f"--map {plan}=PLAN, one of {plans}"
        )


def _missing(subscription: Subscription, draft: Catalog, version: int) -> Iterator[str]:
    named = {each.plan for each in subscription.segments if each.catalog_version == version}
    return iter(named - draft.plans.keys())


def _ensure_currencies(moved: Sequence[Subscription], draft: Catalog) -> None:
    used = Counter(each.currency for each in moved)
    for currency in sorted(used.keys() - set(draft.currencies)):
        who = _who(used[currency], "pays", "pay")
        told = f"{who} in {currency}, in which the draft has no prices"
        raise InvalidInput(f"{told}; add them, nothing is converted")


def _who(count: int, one: str, many: str) -> str:
    return f"1 tenant {one}" if count == 1 else f"{count:,} tenants {many}"


def _differs(draft: Meter, known: Meter) -> str:
    """Which parts of the definition are not the same, as text; '' when all are."""
    return ", ".join(it for it in _DEFINED_BY if getattr(draft, it) != getattr(known, it))
