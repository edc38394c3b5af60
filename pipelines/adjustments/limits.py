"""The most and the least that a plan lets a period cost: a cap on usage, a true-up.

Both are amounts of a whole period, so a plan that is in force for a part of it has that share.
"""

from collections.abc import Collection, Mapping

from pipelines.adjustments.buckets import Bucket, Left, product_of, taken, without
from pipelines.adjustments.case import Case
from schemas.invoice import InvoiceLine


def maximum(case: Case, left: Left) -> tuple[list[InvoiceLine], Left]:
    """Take off what usage costs beyond the plans' maximum, one line for each plan.

    Usage of a plan without a maximum lies outside. Cap 500.00, usage 612.34: −112.34.
    """
    shares = _maxima(case)
    named = [b for b in left if b.product == "usage" and b.plan in shares]
    used = sum(left[bucket] for bucket in named)
    excess = used - case.share(share for each in shares.values() for share in each)
    if excess <= 0:
        return [], left
    gone = taken(excess, left, named)
    lines = [
        case.line("maximum", plan, -amount, base_minor=_of_plan(plan, left, named))
        for plan, amount in _by_plan(gone).items()
    ]
    return lines, without(left, gone)


def minimum(case: Case, left: Left) -> tuple[list[InvoiceLine], Left]:
    """Charge what fees and usage of plans with a minimum leave open of it, in one line.

    Minimum 100.00, fee 49.99, usage 20.00: 30.01. A plan paid by the year has committed already:
    it has no minimum, and neither its fee nor what is given back of one counts.
    """
    shares = [
        (least, part.duration_ms, segment.plan)
        for segment, part in case.active_parts()
        if segment.interval == "month"
        and (least := case.plan_of(segment).minimum_minor(case.currency)) is not None
    ]
    plans = {plan for _, _, plan in shares}
    least = case.share((amount, duration) for amount, duration, _ in shares)
    reached = _reached(case, left, plans)
    if reached >= least:
        return [], left
    line = case.line("minimum", shares[-1][2], least - reached, base_minor=least)
    bucket = Bucket("fees", line.plan)
    return [line], {**left, bucket: left.get(bucket, 0) + line.amount_minor}


def _reached(case: Case, left: Left, plans: Collection[str]) -> int:
    """Fees and usage of some plans, without fees by the year: a refund is not to be made up for."""
    found = sum(
        amount for b, amount in left.items() if b.plan in plans and b.product in ("fees", "usage")
    )
    return found - sum(
        line.amount_minor
        for line in case.lines
        if line.plan in plans and product_of(line) == "fees" and _is_of_a_year(case, line)
    )


def _is_of_a_year(case: Case, line: InvoiceLine) -> bool:
    """Is a fee that of a plan by the year? What is given back is of the plan that ended."""
    is_given_back = line.kind == "proration_credit"
    segment = case.subscription.segment_at(line.period.start_ms - is_given_back)
    return segment is not None and segment.interval == "year"


def _maxima(case: Case) -> Mapping[str, list[tuple[int, int]]]:
    """Amounts and durations of each capped plan; one part without a cap leaves it uncapped."""
    found: dict[str, list[tuple[int | None, int]]] = {}
    for segment, part in case.active_parts():
        most = case.plan_of(segment).maximum_minor(case.currency)
        found.setdefault(segment.plan, []).append((most, part.duration_ms))
    return {
        plan: [(most, duration) for most, duration in shares if most is not None]
        for plan, shares in found.items()
        if all(most is not None for most, _ in shares)
    }


def _by_plan(gone: Left) -> Mapping[str, int]:
    plans: dict[str, int] = {}
    for bucket, amount in gone.items():
        plans[bucket.plan] = plans.get(bucket.plan, 0) + amount
    return dict(sorted(plans.items()))


def _of_plan(plan: str, left: Left, named: list[Bucket]) -> int:
    return sum(left[bucket] for bucket in named if bucket.plan == plan)
