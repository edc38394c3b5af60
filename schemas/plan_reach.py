"""Whom a plan is for, what it was made from, and the phases that come before it.

Owns their shape and what must hold between them and other plans. When phases hold is laid out in
`pipelines.plans.plan_ramps`, and `extends` is resolved where a file is read:
`pipelines.catalog.plan_parents`.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from schemas.meter import Name
from schemas.offers import Commitment
from schemas.price_terms import Closed, Problem

MAX_MONTHS = 120

_IfSaid = Field(exclude_if=lambda value: not value)
"""Left out of the canonical form while nothing is said, so that hashes of price lists stay."""


class RampPhase(Closed):
    """Another plan that holds for so many months before the one whose ramp it is in."""

    months: Annotated[int, Field(ge=1, le=MAX_MONTHS)]
    plan: Name


class Reach(Commitment):
    """`extends` says which plan it was written from; the plan is whole without it.

    With `tenants` it is for those alone. `ramp` are the plans that hold first, from the start or
    the end of its trial, one after the other.
    """

    extends: Annotated[Name | None, _IfSaid] = None
    tenants: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        Field(min_length=1, exclude_if=lambda value: not value),
    ] = ()
    ramp: Annotated[tuple[RampPhase, ...], _IfSaid] = ()

    def is_for(self, tenant: str) -> bool:
        """May the tenant have it?"""
        return not self.tenants or tenant in self.tenants


def broken_reach(plans: Mapping[str, Reach], default_plan: str) -> Iterator[Problem]:
    """What plans say of each other that cannot be, with its place in the price list."""
    if default_plan in plans and plans[default_plan].tenants:
        text = "the default plan limits every tenant without a subscription; leave it out"
        yield ("plans", default_plan, "tenants"), text
    for name, plan in plans.items():
        for place, phase in enumerate(plan.ramp):
            if reason := _broken_phase(name, phase.plan, plans):
                yield ("plans", name, "ramp", place, "plan"), reason


def _broken_phase(name: str, phase: str, plans: Mapping[str, Reach]) -> str | None:
    if phase not in plans:
        return f"{phase!r} is not a plan; there are {', '.join(plans)}"
    if phase == name:
        return f"{name} itself follows its ramp; leave this phase out"
    plan, other = plans[name], plans[phase]
    if other.ramp:
        return f"{phase} has a ramp of its own; name a plan without one"
    if other.tenants and not (plan.tenants and set(plan.tenants) <= set(other.tenants)):
        return f"{phase} is not for all tenants that {name} is for; widen its `tenants`"
    if (plan.policies.proration == "none") != (other.policies.proration == "none"):
        return f"one of {name} and {phase} is prorated and the other is not; let both be alike"
    return None
