"""What a plan says of one meter: what is included, what more costs, where it stops.

Owns the shape of rate cards and quotas and the rules each must obey by itself; what must hold
between them and the rest of a price list is in `schemas.catalog`.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from schemas.price_terms import Closed, Percent, PerUnits, Problem, Quantity, tell, unlimited
from schemas.prices import Matrix, PriceModel
from schemas.quota import WindowKind

DEFAULT_THRESHOLDS = (80, 100, 120)
QUOTA_THRESHOLDS = (80,)


class UnitCost(PerUnits):
    """What usage costs us; it makes no invoice line."""


_GRACE = re.compile(r"(?P<percent>\d+) ?%|(?P<number>\d+) ?(?P<unit>[mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class Grace(Closed):
    """How far, or how long, one may go on beyond a hard limit that was announced.

    `percent` is of the limit: 10 denies from 110 % of it on. `seconds` count from the arrival of
    the event that reached it.
    """

    percent: Annotated[int, Field(ge=1, le=1000)] | None = None
    seconds: Annotated[int, Field(ge=60, le=31 * 86_400)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = _GRACE.fullmatch(value.strip())
        if found is None:
            raise ValueError(f"{value!r} is no grace; write it like 10% or 30m, 24h, 3d")
        if found["percent"]:
            return {"percent": int(found["percent"])}
        return {"seconds": int(found["number"]) * _SECONDS[found["unit"]]}

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.percent is None) == (self.seconds is None):
            raise ValueError("a grace is a share or a time, such as 10% or 24h")
        return self


def _rise(percents: tuple[int, ...]) -> tuple[int, ...]:
    if list(percents) != sorted(set(percents)):
        raise ValueError("thresholds must rise, such as [80, 100, 120]")
    return percents


Thresholds = Annotated[tuple[Percent, ...], AfterValidator(_rise)]


class Quota(Closed):
    """A limit of its own for one kind of window, such as 50,000 an hour.

    A soft one is announced and denies nothing; `thresholds` are in per cent of the limit.
    """

    limit: Quantity
    enforcement: Literal["hard", "soft"] = "hard"
    thresholds: Thresholds = QUOTA_THRESHOLDS
    grace: Grace | None = None

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.grace and self.enforcement == "soft":
            tell([(("grace",), "a soft limit denies nothing; leave the grace out")])
        return self


class RateCard(Closed):
    """One meter in one plan: included quantity, overage price, caps, alert thresholds, quotas.

    `included` None is unlimited; `overage` None means that more is not billed; `hard_limit` and
    `soft_limit` are in per cent of the pool, None means that nothing stops there. `quotas` are
    limits by kind of window beside the pool.
    """

    included: Annotated[Quantity | None, BeforeValidator(unlimited)]
    overage: PriceModel | None = None
    hard_limit: Annotated[Percent | None, BeforeValidator(unlimited)] = None
    soft_limit: Percent | None = None
    grace: Grace | None = None
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    quotas: dict[WindowKind, Quota] = Field(default_factory=dict)

    @field_validator("hard_limit", "soft_limit")
    @classmethod
    def _limit_is_beyond_the_pool(cls, percent: int | None) -> int | None:
        if percent is not None and percent < 100:
            raise ValueError(f"{percent} stops below what is included; write 100 or more")
        return percent

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        tell(list(self._contradictions()))
        return self

    def _contradictions(self) -> Iterator[Problem]:
        if self.included is None:
            for name in ("overage", "hard_limit", "soft_limit"):
                if getattr(self, name) is not None:
                    text = "an unlimited meter has none; leave it out, or say how much is included"
                    yield (name,), text
        elif isinstance(self.overage, Matrix):
            yield from self._matrix_contradictions()
        elif "billing_period" in self.quotas:
            text = "the pool is this window's limit; use `hard_limit` or `soft_limit`"
            yield ("quotas", "billing_period"), text
        if self.grace and self.hard_limit is None:
            yield ("grace",), "there is no hard limit that it would put off; leave it out"

    def _matrix_contradictions(self) -> Iterator[Problem]:
        """There is no pool, and so no share of it."""
        if self.included:
            yield ("included",), "prices by value leave nothing to be included; write 0"
        for name in ("hard_limit", "soft_limit"):
            if getattr(self, name) is not None:
                yield (name,), "it would be a share of nothing; write a limit in `quotas`"
