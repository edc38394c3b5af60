"""Contradictions that a price list's file may not have, though they are no reason not to load one.

What was stored and billed by stays readable, so these are asked where a file is read, not in
`schemas.catalog`.
"""

from collections.abc import Iterator

from schemas.catalog import Catalog, Plan
from schemas.price_terms import Amounts, Problem
from schemas.prices import amounts_of

_Path = tuple[str | int, ...]


def contradictions(catalog: Catalog) -> Iterator[Problem]:
    """What says two things at once, or something that never holds, with its place and a remedy."""
    for place, currency in enumerate(catalog.currencies):
        if currency in catalog.currencies[:place]:
            yield ("currencies", place), f"{currency} is here twice; keep one"
    for path, amounts in _all_amounts(catalog):
        for currency in amounts:
            if currency not in catalog.currencies:
                text = f"{currency} is not in `currencies`; add it there, or leave it out here"
                yield (*path, currency), text
    for name, plan in catalog.plans.items():
        for path, text in _in_plan(plan):
            yield ("plans", name, *path), text


def _in_plan(plan: Plan) -> Iterator[Problem]:
    if plan.base_fee_yearly and plan.discounts_fees:
        text = "what is left of a year is given back of its whole fee"
        yield ("discount",), f"{text}; write the lower fees instead, or `on: usage`"
    for meter, card in plan.meters.items():
        if card.soft_limit and card.hard_limit and card.soft_limit > card.hard_limit:
            text = f"usage stops at the hard limit of {card.hard_limit}%; write that or less"
            yield ("meters", meter, "soft_limit"), text


def _all_amounts(catalog: Catalog) -> Iterator[tuple[_Path, Amounts]]:
    """Every table of amounts that somebody is charged or given."""
    for name, plan in catalog.plans.items():
        for path, amounts in _of_plan(plan):
            yield ("plans", name, *path), amounts
    for name, coupon in catalog.coupons.items():
        yield ("coupons", name, "amount"), coupon.amount
    for name, add_on in catalog.add_ons.items():
        yield ("add_ons", name, "fee"), add_on.fee
    yield ("late_usage", "threshold"), catalog.late_usage.threshold


def _of_plan(plan: Plan) -> Iterator[tuple[_Path, Amounts]]:
    for field in ("base_fee", "base_fee_yearly", "minimum", "maximum"):
        yield (field,), getattr(plan, field)
    if plan.discount:
        yield ("discount", "amount"), plan.discount.amount
    for meter, card in plan.meters.items():
        for path, amounts in amounts_of(card.overage) if card.overage else ():
            yield ("meters", meter, "overage", *path), amounts
